import { z } from 'zod';

/** What can be watched, and what its threshold is counted in. */
export const alertTypes = {
  hourly_cost: 'USD in an hour of the clock',
  daily_cost: 'USD in a day of the time zone',
  monthly_budget: 'USD in a month of the time zone',
  budget: 'percent of a budget of the policy; from there on also each of its alert_at',
  budget_forecast: 'USD that the month will come to at the pace of the last seven days',
  error_rate: 'percent of the last hour’s calls',
  unpriced_usage: 'calls of the last 24 hours whose price is not known',
  anomaly: 'standard deviations of the last full hour’s cost above the same hours of the two weeks before',
} as const;
export type AlertType = keyof typeof alertTypes;
export const alertTypeNames = Object.keys(alertTypes) as [AlertType, ...AlertType[]];

/** Types that are looked at once a minute: money that is gone should not wait for the full hour. */
export const costTypes: readonly AlertType[] = ['hourly_cost', 'daily_cost', 'monthly_budget', 'budget'];

export const alertFilters = z.strictObject({
  model: z.string().min(1).max(200).optional(),
  provider: z.string().min(1).max(200).optional(),
  user: z.string().min(1).max(500).optional(),
  api_key: z.string().min(1).max(200).optional(),
  workload: z.string().min(1).max(500).optional(),
  budget: z.string().min(1).max(63).optional().describe('Of type budget: the budget of this name alone.'),
});

/** A budget says by itself which calls it is about; null: the filters fit the type. */
export function unfitFilter(type: AlertType, filters: z.output<typeof alertFilters>): string | null {
  const given = Object.entries(filters).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  const unfit = given.find((name) => (name === 'budget') !== (type === 'budget'));
  if (unfit === undefined) return null;
  return type === 'budget'
    ? `filters.${unfit}: a budget has a match of its own`
    : `filters.budget: only for alerts of type budget`;
}

/** An alert as it is kept. Money and thresholds are decimal text. */
export interface Alert {
  id: string;
  organization: string;
  name: string;
  alert_type: AlertType;
  threshold_value: string;
  time_zone: string;
  filters: z.output<typeof alertFilters>;
  slack_webhook_url: Buffer | null;
  webhook_url: Buffer | null;
  webhook_secret: Buffer | null;
  email_addresses: string[];
  enabled: boolean;
}

/** What was found when an alert was looked at. */
export interface Finding {
  firing: boolean;
  /** Decimal text, in what the threshold is counted in. */
  value: string;
  /** One message a period: `2026-11-24`, `2026-11`, or the hour in which it began. */
  period: string;
  /** Who spent most in it, the greatest first. */
  top: { by: 'model' | 'api_key' | 'user'; name: string; cost_usd: string }[];
  /** The budget that is meant. */
  budget?: {
    name: string;
    mode: string;
    unit: string;
    /** Whose; null: the organization's. */
    subject: string | null;
    spent: string;
    limit: string;
    resets_at: string;
  };
}
