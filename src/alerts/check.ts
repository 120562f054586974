import type { PoolClient } from 'pg';
import type { Logger } from 'pino';
import { type Pool, withConnection } from '../db/pool.ts';
import type { Alert, AlertType, Finding } from './alert.ts';
import { type ReportBudgets, reachedBudgets } from './budgets.ts';
import { addDeliveries } from './deliveries.ts';
import { evaluate } from './evaluate.ts';

const columns = `id, organization, name, alert_type, threshold_value::text, time_zone, filters, slack_webhook_url,
  webhook_url, webhook_secret, email_addresses, enabled`;

/** Looks at all alerts of these types; one that cannot be looked at costs itself only. */
export async function checkAlerts(
  pool: Pool,
  types: readonly AlertType[],
  { now, log, budgets }: { now: number; log: Logger; budgets: ReportBudgets },
): Promise<void> {
  const { rows } = await pool.query<Alert>(
    `SELECT ${columns} FROM alert_configs WHERE enabled AND alert_type = ANY ($1)`,
    [types],
  );
  for (const alert of rows) {
    try {
      const findings =
        alert.alert_type === 'budget'
          ? await reachedBudgets(alert, budgets)
          : [await evaluate(pool, { ...alert, alert_type: alert.alert_type }, now)];
      await withConnection(pool, (client) => note(client, alert, findings, now));
    } catch (error) {
      log.error({ err: error, alert: alert.id }, 'an alert could not be looked at');
    }
  }
}

/** One alert of an organization; null: it has none of this id. */
export async function findAlert(
  pool: Pick<Pool, 'query'>,
  organization: string,
  id: string,
): Promise<Alert | null> {
  const { rows } = await pool.query<Alert>(
    `SELECT ${columns} FROM alert_configs WHERE organization = $1 AND id = $2`,
    [organization, id],
  );
  return rows[0] ?? null;
}

/** Begins and ends events, with their messages, in one transaction: each is told once, by whoever finds it. */
async function note(client: PoolClient, alert: Alert, findings: Finding[], now: number): Promise<void> {
  const firing = findings.filter((finding) => finding.firing);
  await client.query('BEGIN');
  // Who looks at the same time waits here, and then finds what was written.
  await client.query('SELECT FROM alert_configs WHERE id = $1 FOR UPDATE', [alert.id]);
  const { rows: open } = await client.query<{ id: number; period: string }>(
    'SELECT id, period FROM alert_events WHERE alert = $1 AND ended_at IS NULL ORDER BY id',
    [alert.id],
  );
  // What has a period of the clock is over with it; the others go on until they are no more.
  const isTimed = /_cost$|budget/.test(alert.alert_type);
  const goesOn = (period: string) =>
    isTimed ? firing.some((each) => each.period === period) : firing.length > 0;
  const over = open.filter(({ period }) => !goesOn(period));
  for (const { id } of over)
    await client.query('UPDATE alert_events SET ended_at = $2 WHERE id = $1', [id, new Date(now)]);
  for (const { id } of lastOfEach(over)) await addDeliveries(client, alert, 'end', id);
  const starts = isTimed || over.length === open.length ? firing : [];
  const begun: { id: number; period: string }[] = [];
  for (const { period, value, top, budget } of starts) {
    const { rows } = await client.query<{ id: number }>(
      `INSERT INTO alert_events (alert, period, started_at, value, threshold, facts)
       VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING id`,
      [alert.id, period, new Date(now), value, alert.threshold_value, { top, budget }],
    );
    for (const { id } of rows) begun.push({ id, period });
  }
  for (const { id } of lastOfEach(begun)) await addDeliveries(client, alert, 'start', id);
  await client.query('COMMIT');
}

/** Of several steps of one thing at once, the last is told of. */
function lastOfEach<T extends { period: string }>(events: readonly T[]): T[] {
  return [...new Map(events.map((event) => [event.period.replace(/#[\d.]+$/, ''), event])).values()];
}
