import { createHmac } from 'node:crypto';
import { createTransport } from 'nodemailer';
import type { AlertsConfig } from '../config/alerts.ts';
import type { Keyring } from '../config/keyring.ts';
import type { Pool } from '../db/pool.ts';
import type { Alert } from './alert.ts';
import type { Channel, Kind } from './deliveries.ts';
import { messageOf, type Told } from './message.ts';
import { createOutside } from './outside.ts';

const smtpTimeoutMs = 10_000;

/** The place in which a secret of an alert is sealed. */
export const secretPlace = (alert: string, name: string) => `alert:${alert}:${name}`;

interface Delivery extends Pick<Alert, 'slack_webhook_url' | 'webhook_url' | 'webhook_secret'> {
  id: number;
  alert: Told['alert'];
  kind: Kind;
  channel: Channel;
  recipient: string;
  /** null: a test. */
  event: Told['event'];
}

// Numbers as text: money is no float.
const select = `
  SELECT d.id, d.kind, d.channel, d.recipient, a.slack_webhook_url, a.webhook_url, a.webhook_secret,
         jsonb_build_object('id', a.id, 'name', a.name, 'organization', a.organization, 'alert_type', a.alert_type,
           'threshold_value', trim_scale(a.threshold_value)::text, 'filters', a.filters, 'time_zone', a.time_zone) AS alert,
         CASE WHEN e.id IS NOT NULL THEN jsonb_build_object('period', e.period, 'value', trim_scale(e.value)::text,
           'started_at', e.started_at, 'ended_at', e.ended_at, 'top', e.facts->'top', 'budget', e.facts->'budget') END AS event
    FROM alert_deliveries d JOIN alert_configs a ON a.id = d.alert LEFT JOIN alert_events e ON e.id = d.event
   WHERE d.id = $1 AND d.state = 'pending'`;

/** Brings messages to where they are to go. `deliver` rejects when it is to be tried again. */
export function createDeliverer(options: { pool: Pool; keyring: Keyring; config: AlertsConfig }) {
  const { pool, keyring, config } = options;
  const outside = createOutside({ allowPrivate: config.allow_private });
  const mail =
    config.smtp &&
    createTransport({
      url: config.smtp.url,
      connectionTimeout: smtpTimeoutMs,
      greetingTimeout: smtpTimeoutMs,
      socketTimeout: smtpTimeoutMs,
    });

  function secret(delivery: Delivery, name: 'slack_webhook_url' | 'webhook_url' | 'webhook_secret'): string {
    const sealed = delivery[name];
    const opened = sealed && keyring.open(sealed, secretPlace(delivery.alert.id, name));
    if (!opened) throw new Error(`${name} cannot be opened: the key it was sealed with is not here`);
    return opened.toString();
  }

  async function send(delivery: Delivery): Promise<void> {
    const { id, kind, channel, recipient, event, alert } = delivery;
    const { subject, lines } = messageOf({ alert, kind, event, apiUrl: config.api_url });
    if (channel === 'slack') {
      const text = [`*${slackText(subject)}*`, ...lines.map(slackText)].join('\n');
      await outside.post(secret(delivery, 'slack_webhook_url'), JSON.stringify({ text }));
    } else if (channel === 'webhook') {
      const { id: alertId, name, organization, alert_type, threshold_value } = alert;
      const facts = { id: alertId, name, organization, type: alert_type, threshold: threshold_value };
      const body = JSON.stringify({
        delivery: String(id),
        kind,
        alert: facts,
        event,
        text: [subject, ...lines],
      });
      await outside.post(secret(delivery, 'webhook_url'), body, {
        'x-weir-delivery': String(id),
        'x-weir-signature': `sha256=${createHmac('sha256', secret(delivery, 'webhook_secret')).update(body).digest('hex')}`,
      });
    } else {
      if (!mail || !config.smtp) throw new Error('alerts.smtp is not configured: there is no mail server');
      await mail.sendMail({
        from: config.smtp.from,
        to: recipient,
        subject,
        text: lines.join('\n'),
        // A mail that came twice is one to most readers.
        messageId: `<weir-alert-${id}@weir.invalid>`,
      });
    }
  }

  return {
    /** Delivers one message; `last`: it will not be tried again. */
    async deliver(id: number, last: boolean): Promise<void> {
      const { rows } = await pool.query<Delivery>(select, [id]);
      const [delivery] = rows;
      if (!delivery) return;
      try {
        await send(delivery);
      } catch (error) {
        await pool.query(
          `UPDATE alert_deliveries SET attempts = attempts + 1, last_error = $2, state = $3 WHERE id = $1`,
          [id, reason(error), last ? 'dead' : 'pending'],
        );
        if (!last) throw error;
        return;
      }
      await pool.query(
        `UPDATE alert_deliveries SET attempts = attempts + 1, state = 'delivered', delivered_at = now(), last_error = NULL WHERE id = $1`,
        [id],
      );
    },
    async close(): Promise<void> {
      mail?.close();
      await outside.close();
    },
  };
}

export type Deliverer = ReturnType<typeof createDeliverer>;

/** Slack's own marks (api.slack.com, "Escaping text"). */
function slackText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** Never the URL: it is a secret. */
function reason(error: unknown): string {
  const { message, cause } = error instanceof Error ? error : new Error(String(error));
  const text = cause instanceof Error ? `${message}: ${cause.message}` : message;
  return text.replace(/https?:\/\/\S+/g, '<url>').slice(0, 500);
}
