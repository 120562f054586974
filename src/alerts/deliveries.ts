import type { PoolClient } from 'pg';
import type { Alert } from './alert.ts';

/** How often a message is tried; with graphile-worker's back-off of e^n seconds, at most some eleven hours. */
const maxAttempts = 12;
export const deliverTask = 'weir_deliver_alert';

export type Channel = 'slack' | 'webhook' | 'email';
export type Kind = 'start' | 'end' | 'test';

/** Puts a message for each address of an alert into the queue, within the transaction of the client. */
export async function addDeliveries(
  client: PoolClient,
  alert: Alert,
  kind: Kind,
  event: number | null,
): Promise<number[]> {
  const recipients: [Channel, string][] = [
    ...(alert.slack_webhook_url ? [['slack', ''] as [Channel, string]] : []),
    ...(alert.webhook_url ? [['webhook', ''] as [Channel, string]] : []),
    ...alert.email_addresses.map((address): [Channel, string] => ['email', address]),
  ];
  const ids: number[] = [];
  for (const [channel, recipient] of recipients) {
    const { rows } = await client.query<{ id: number }>(
      `INSERT INTO alert_deliveries (alert, event, kind, channel, recipient) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT DO NOTHING RETURNING id`,
      [alert.id, event, kind, channel, recipient],
    );
    for (const { id } of rows) {
      await enqueue(client, id);
      ids.push(id);
    }
  }
  return ids;
}

/** Tries a message again that was given up; false: there is no such. */
export async function retryDelivery(client: PoolClient, organization: string, id: number): Promise<boolean> {
  const { rowCount } = await client.query(
    `UPDATE alert_deliveries SET state = 'pending'
      WHERE id = $2 AND state = 'dead' AND alert IN (SELECT id FROM alert_configs WHERE organization = $1)`,
    [organization, id],
  );
  if (rowCount === 0) return false;
  await enqueue(client, id);
  return true;
}

async function enqueue(client: PoolClient, delivery: number): Promise<void> {
  await client.query(`SELECT graphile_worker.add_job($1, payload => $2, max_attempts => $3, job_key => $4)`, [
    deliverTask,
    JSON.stringify({ delivery }),
    maxAttempts,
    `weir-alert-${delivery}`,
  ]);
}
