import { randomBytes } from 'node:crypto';
import type { Keyring } from '../config/keyring.ts';
import type { Pool } from '../db/pool.ts';
import type { Alert, AlertType } from './alert.ts';
import { secretPlace } from './deliver.ts';

/** An alert as people give it; a secret that is null is taken away, one that is undefined stays. */
export interface AlertInput {
  name: string;
  alert_type: AlertType;
  threshold_value: string;
  time_zone: string;
  filters: Alert['filters'];
  slack_webhook_url?: string | null | undefined;
  webhook_url?: string | null | undefined;
  email_addresses: string[];
  enabled: boolean;
}

/** An alert as people see it: secrets as what they begin with. */
export interface AlertView extends Omit<AlertInput, 'slack_webhook_url' | 'webhook_url'> {
  id: string;
  slack_webhook_url: string | null;
  webhook_url: string | null;
  created_at: Date;
  /** Since when it is on; null: it is not. */
  firing_since: Date | null;
}

type Row = Omit<AlertView, 'slack_webhook_url' | 'webhook_url'> &
  Pick<Alert, 'slack_webhook_url' | 'webhook_url'>;

const select = `
  SELECT id, name, alert_type, trim_scale(threshold_value)::text AS threshold_value, time_zone, filters, slack_webhook_url, webhook_url,
         email_addresses, enabled, created_at,
         (SELECT min(started_at) FROM alert_events e WHERE e.alert = a.id AND ended_at IS NULL) AS firing_since
    FROM alert_configs a`;

/** The alerts of organizations. `seal` hides their webhooks. */
export function createAlertStore(pool: Pick<Pool, 'query'>, keyring: Keyring) {
  const view = (row: Row): AlertView => ({
    ...row,
    slack_webhook_url: masked(row, 'slack_webhook_url'),
    webhook_url: masked(row, 'webhook_url'),
  });

  function masked(row: Row, name: 'slack_webhook_url' | 'webhook_url'): string | null {
    const sealed = row[name];
    if (!sealed) return null;
    const opened = keyring.open(sealed, secretPlace(row.id, name));
    return opened ? `${new URL(opened.toString()).origin}/…` : '…';
  }

  const seal = (id: string, name: string, text: string) =>
    keyring.seal(Buffer.from(text), secretPlace(id, name));

  async function find(organization: string, id: string): Promise<AlertView | null> {
    const { rows } = await pool.query<Row>(`${select} WHERE organization = $1 AND id = $2`, [
      organization,
      id,
    ]);
    return rows[0] ? view(rows[0]) : null;
  }

  /** Writes what is given, and secrets only where they are. */
  async function write(organization: string, id: string, input: AlertInput, by: string): Promise<void> {
    await pool.query(
      `INSERT INTO alert_configs (id, organization, name, alert_type, threshold_value, time_zone, filters,
                                  email_addresses, enabled, created_by)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
       ON CONFLICT (id) DO UPDATE SET name = $3, alert_type = $4, threshold_value = $5, time_zone = $6, filters = $7,
                                      email_addresses = $8, enabled = $9
        WHERE alert_configs.organization = $2`,
      [
        ...[
          id,
          organization,
          input.name,
          input.alert_type,
          input.threshold_value,
          input.time_zone,
          input.filters,
        ],
        ...[input.email_addresses, input.enabled, by],
      ],
    );
    for (const name of ['slack_webhook_url', 'webhook_url'] as const) {
      const url = input[name];
      if (url === undefined) continue;
      await pool.query(`UPDATE alert_configs SET ${name} = $3 WHERE organization = $1 AND id = $2`, [
        organization,
        id,
        url === null ? null : seal(id, name, url),
      ]);
    }
  }

  return {
    find,
    async list(organization: string): Promise<AlertView[]> {
      const { rows } = await pool.query<Row>(`${select} WHERE organization = $1 ORDER BY created_at, id`, [
        organization,
      ]);
      return rows.map(view);
    },
    /** Makes an alert; with a webhook also the secret that signs what is posted there, told here once. */
    async create(
      organization: string,
      input: AlertInput,
      by: string,
    ): Promise<{ id: string; secret: string | null }> {
      const id = `alert_${randomBytes(10).toString('hex')}`;
      await write(organization, id, input, by);
      return { id, secret: await this.renewSecret(organization, id) };
    },
    async update(organization: string, id: string, input: AlertInput, by: string): Promise<void> {
      await write(organization, id, input, by);
    },
    /** A new secret for an alert with a webhook; null: it has none. */
    async renewSecret(organization: string, id: string): Promise<string | null> {
      const secret = `whsec_${randomBytes(24).toString('base64url')}`;
      const { rowCount } = await pool.query(
        'UPDATE alert_configs SET webhook_secret = $3 WHERE organization = $1 AND id = $2 AND webhook_url IS NOT NULL',
        [organization, id, seal(id, 'webhook_secret', secret)],
      );
      return rowCount === 0 ? null : secret;
    },
    async remove(organization: string, id: string): Promise<boolean> {
      const { rowCount } = await pool.query('DELETE FROM alert_configs WHERE organization = $1 AND id = $2', [
        organization,
        id,
      ]);
      return rowCount === 1;
    },
  };
}

export interface DeliveryView {
  id: number;
  alert: string;
  kind: string;
  channel: string;
  recipient: string;
  state: string;
  attempts: number;
  last_error: string | null;
  created_at: Date;
  delivered_at: Date | null;
}

/** The last messages of an organization, the newest first. */
export async function listDeliveries(
  pool: Pool,
  organization: string,
  state: string | null,
): Promise<DeliveryView[]> {
  const { rows } = await pool.query<DeliveryView>(
    `SELECT d.id, d.alert, d.kind, d.channel, d.recipient, d.state, d.attempts, d.last_error, d.created_at, d.delivered_at
       FROM alert_deliveries d JOIN alert_configs a ON a.id = d.alert
      WHERE a.organization = $1 AND ($2::text IS NULL OR d.state = $2)
      ORDER BY d.id DESC LIMIT 200`,
    [organization, state],
  );
  return rows;
}
