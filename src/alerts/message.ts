import type { Alert, AlertType, Finding } from './alert.ts';
import type { Kind } from './deliveries.ts';

/** What a message is made of. */
export interface Told {
  alert: Pick<
    Alert,
    'id' | 'name' | 'organization' | 'alert_type' | 'threshold_value' | 'filters' | 'time_zone'
  >;
  kind: Kind;
  /** null: a test. */
  event: {
    period: string;
    value: string;
    started_at: string;
    ended_at: string | null;
    top: Finding['top'];
    budget?: Finding['budget'] | null;
  } | null;
  apiUrl: string | undefined;
}

const said: Record<Exclude<AlertType, 'budget'>, (value: string, threshold: string) => string> = {
  hourly_cost: (value, threshold) => `spent ${usd(value)} this hour, threshold ${usd(threshold)}`,
  daily_cost: (value, threshold) => `spent ${usd(value)} today, threshold ${usd(threshold)}`,
  monthly_budget: (value, threshold) => `spent ${usd(value)} this month, budget ${usd(threshold)}`,
  budget_forecast: (value, threshold) =>
    `this month will come to ${usd(value)} at the pace of the last seven days, budget ${usd(threshold)}`,
  error_rate: (value, threshold) => `${value} % of the last hour’s calls failed, threshold ${threshold} %`,
  unpriced_usage: (value, threshold) =>
    `${value} calls of the last 24 hours have no price, threshold ${threshold}`,
  anomaly: (value, threshold) =>
    `the last hour cost ${value} standard deviations more than usual, threshold ${threshold}`,
};

/** A message in words: a line for the subject, and the rest. */
export function messageOf({ alert, kind, event, apiUrl }: Told): { subject: string; lines: string[] } {
  const title = `weir: ${alert.name} (${alert.organization})`;
  if (kind === 'test' || !event) {
    return { subject: `${title}: test`, lines: ['This is a test: messages of this alert arrive here.'] };
  }
  const { budget } = event;
  const what =
    alert.alert_type === 'budget'
      ? budgetSaid(budget, event.value)
      : said[alert.alert_type](event.value, alert.threshold_value);
  const narrowed = Object.entries(alert.filters).map(([name, value]) => `${name} ${value}`);
  const lines = [
    kind === 'end' ? `It is over; it was: ${what}.` : `${what[0]?.toUpperCase()}${what.slice(1)}.`,
    budget ? `Resets: ${budget.resets_at}` : `Period: ${event.period} (${alert.time_zone})`,
    ...(narrowed.length > 0 ? [`Counted: ${narrowed.join(', ')}`] : []),
    ...event.top.map(
      ({ by, name, cost_usd }) => `Most by ${by.replace('_', ' ')}: ${name}, ${usd(cost_usd)}`,
    ),
    ...(apiUrl === undefined
      ? []
      : [
          `Details: ${apiUrl.replace(/\/+$/, '')}${budget ? '/budgets' : '/analytics/breakdown?group_by=model'}`,
        ]),
  ];
  return { subject: kind === 'end' ? `${title}: over` : `${title}: ${what}`, lines };
}

function budgetSaid(budget: Finding['budget'] | null, percent: string): string {
  if (!budget) return `a budget has reached ${percent} %`;
  const { name, subject, mode, unit, spent, limit } = budget;
  const amount = (value: string) => (unit === 'usd' ? usd(value) : `${value} tokens`);
  return `${mode} budget ${name}${subject === null ? '' : ` (${subject})`} has reached ${percent} %: ${amount(spent)} of ${amount(limit)}`;
}

/** Two places, and more where the sum is smaller than a cent. */
function usd(value: string): string {
  const number = Number(value);
  return `$${number > 0 && number < 0.01 ? value : number.toFixed(2)}`;
}
