import { z } from 'zod';
import { alertFilters, alertTypeNames, alertTypes, unfitFilter } from '../../alerts/alert.ts';
import { isTimeZone } from '../../analytics/zone.ts';
import { Problem } from '../problem.ts';

const decimal = z
  .union([z.string(), z.number().transform(String)])
  .refine((text) => /^\d{1,12}(\.\d{1,12})?$/.test(text) && Number(text) > 0, 'expected a number above 0');
const webhook = z.url({ protocol: /^https?$/, error: 'expected a URL such as https://hooks.example.com/…' });
/** An alert as it is given. */
export const alertInput = z.strictObject({
  name: z.string().min(1).max(200),
  alert_type: z.enum(alertTypeNames).describe(
    `What is watched: ${Object.entries(alertTypes)
      .map(([name, unit]) => `\`${name}\` (${unit})`)
      .join(', ')}.`,
  ),
  threshold_value: decimal.describe('From here on it is on.'),
  time_zone: z.string().refine(isTimeZone, 'expected a time zone such as Europe/Berlin').default('UTC'),
  filters: alertFilters.default({}),
  slack_webhook_url: webhook.nullish(),
  webhook_url: webhook.nullish(),
  email_addresses: z.array(z.email()).max(20).default([]),
  enabled: z.boolean().default(true),
});

/** Throws a Problem where an alert would tell nobody, or of nothing. */
export function refuseIdle(
  given: Pick<z.output<typeof alertInput>, 'alert_type' | 'filters'> & Partial<z.output<typeof alertInput>>,
): void {
  const unfit = unfitFilter(given.alert_type, given.filters);
  if (unfit !== null) throw new Problem(400, 'invalid_parameter', unfit);
  if (given.email_addresses?.length || given.slack_webhook_url || given.webhook_url) return;
  throw new Problem(400, 'no_recipient', 'give one of slack_webhook_url, webhook_url, email_addresses');
}

/** An alert as it is shown. */
export const alertView = z.object({
  id: z.string(),
  name: z.string(),
  alert_type: z.enum(alertTypeNames),
  threshold_value: z.string(),
  time_zone: z.string(),
  filters: alertFilters,
  slack_webhook_url: z.string().nullable().describe('As far as it may be shown.'),
  webhook_url: z.string().nullable(),
  email_addresses: z.array(z.string()),
  enabled: z.boolean(),
  created_at: z.date(),
  firing_since: z.date().nullable(),
});
/** One message to one address. */
export const delivery = z.object({
  id: z.int(),
  alert: z.string(),
  kind: z.string(),
  channel: z.string(),
  recipient: z.string(),
  state: z.enum(['pending', 'delivered', 'dead']),
  attempts: z.int(),
  last_error: z.string().nullable(),
  created_at: z.date(),
  delivered_at: z.date().nullable(),
});
