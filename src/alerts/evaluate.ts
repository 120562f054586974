import { bookingsOf, unpriced } from '../analytics/bookings.ts';
import type { TimeRange } from '../analytics/dates.ts';
import { condition, Parameters } from '../analytics/usage-query.ts';
import { instantOf, wallTimeOf } from '../analytics/zone.ts';
import type { Pool } from '../db/pool.ts';
import type { Alert, AlertType, Finding } from './alert.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** Fewer calls than this say nothing about a rate. */
const minCalls = 20;
/** Less money than this an hour is no anomaly, USD. */
const minAnomalyUsd = 1;

type Evaluate = (
  pool: Pool,
  alert: Alert,
  now: number,
) => Promise<Omit<Finding, 'top'> & { range: TimeRange }>;

/** Looks at an alert: is it on now, and who has the greatest part in it? `now`: epoch milliseconds. */
export async function evaluate(
  pool: Pool,
  alert: Alert & { alert_type: Evaluated },
  now: number,
): Promise<Finding> {
  const { range, ...finding } = await evaluations[alert.alert_type](pool, alert, now);
  return { ...finding, top: finding.firing ? await topOf(pool, alert, range) : [] };
}

/** What is found by sums of calls. */
type Evaluated = Exclude<AlertType, 'budget'>;

const evaluations: Record<Evaluated, Evaluate> = {
  hourly_cost: (pool, alert, now) => spentSince(pool, alert, now, 'hour'),
  daily_cost: (pool, alert, now) => spentSince(pool, alert, now, 'day'),
  monthly_budget: (pool, alert, now) => spentSince(pool, alert, now, 'month'),

  async budget_forecast(pool, alert, now) {
    const { range, period, end } = periodOf(now, alert.time_zone, 'month');
    const week = { start: new Date(now - 7 * dayMs), end: new Date(now) };
    const [spent, lately] = await Promise.all([costOf(pool, alert, range), costOf(pool, alert, week)]);
    // A forecast is a guess: a float is exact enough for it.
    const value = Number(spent) + (Number(lately) / (7 * dayMs)) * (end - now);
    return { firing: value >= Number(alert.threshold_value), value: value.toFixed(2), period, range };
  },

  async error_rate(pool, alert, now) {
    const range = { start: new Date(now - hourMs), end: new Date(now) };
    const [row] = await select<{ calls: number; errors: number }>(
      pool,
      alert,
      range,
      `count(*) FILTER (WHERE NOT adjusts) AS calls,
       count(*) FILTER (WHERE outcome IN ('upstream_error', 'interrupted') AND NOT adjusts) AS errors`,
    );
    const { calls = 0, errors = 0 } = row ?? {};
    const value = calls === 0 ? 0 : (100 * errors) / calls;
    const firing = calls >= minCalls && value >= Number(alert.threshold_value);
    return { firing, value: value.toFixed(2), period: hourOf(now), range };
  },

  async unpriced_usage(pool, alert, now) {
    const range = { start: new Date(now - dayMs), end: new Date(now) };
    const [row] = await select<{ calls: number }>(
      pool,
      alert,
      range,
      `count(*) FILTER (WHERE ${unpriced}) AS calls`,
    );
    const calls = row?.calls ?? 0;
    return {
      firing: calls >= Number(alert.threshold_value),
      value: String(calls),
      period: hourOf(now),
      range,
    };
  },

  async anomaly(pool, alert, now) {
    const end = now - (now % hourMs);
    const range = { start: new Date(end - hourMs), end: new Date(end) };
    const before = await Promise.all(
      Array.from({ length: 14 }, (_, index) => {
        const start = end - hourMs - (index + 1) * dayMs;
        return costOf(pool, alert, { start: new Date(start), end: new Date(start + hourMs) });
      }),
    );
    const known = before.map(Number);
    const mean = known.reduce((sum, each) => sum + each, 0) / known.length;
    const deviation = Math.sqrt(known.reduce((sum, each) => sum + (each - mean) ** 2, 0) / known.length);
    const cost = Number(await costOf(pool, alert, range));
    // Where every hour cost the same, a tenth of it is the measure.
    const value = (cost - mean) / Math.max(deviation, mean / 10, 0.01);
    const firing = cost >= minAnomalyUsd && value >= Number(alert.threshold_value);
    return { firing, value: value.toFixed(2), period: hourOf(end - hourMs), range };
  },
};

async function spentSince(pool: Pool, alert: Alert, now: number, unit: 'hour' | 'day' | 'month') {
  const { range, period } = periodOf(now, alert.time_zone, unit);
  const parameters = new Parameters();
  const where = condition(parameters, { organization: alert.organization, range, filter: alert.filters });
  const { rows } = await pool.query<{ value: string; firing: boolean }>(
    `SELECT trim_scale(${spent})::text AS value, ${spent} >= ${parameters.add(alert.threshold_value)}::numeric AS firing
       FROM ${await bookingsOf(pool)} WHERE ${where}`,
    parameters.values,
  );
  const { value = '0', firing = false } = rows[0] ?? {};
  return { firing, value, period, range };
}

const spent = 'coalesce(sum(cost_usd), 0) + coalesce(sum(tool_usd), 0)';

async function costOf(pool: Pool, alert: Alert, range: TimeRange): Promise<string> {
  const [row] = await select<{ cost: string }>(pool, alert, range, `trim_scale(${spent})::text AS cost`);
  return row?.cost ?? '0';
}

async function topOf(pool: Pool, alert: Alert, range: TimeRange): Promise<Finding['top']> {
  const groups = { model: 'coalesce(model, requested_model)', api_key: 'api_key', user: 'end_user' } as const;
  const found = await Promise.all(
    (['model', 'api_key', 'user'] as const).map(async (by) => {
      const rows = await select<{ name: string; cost_usd: string }>(
        pool,
        alert,
        range,
        `${groups[by]} AS name, trim_scale(${spent})::text AS cost_usd`,
        `AND ${groups[by]} IS NOT NULL GROUP BY 1 HAVING ${spent} > 0 ORDER BY ${spent} DESC LIMIT 1`,
      );
      return rows.map((row) => ({ by, ...row }));
    }),
  );
  return found.flat();
}

async function select<T extends object>(
  pool: Pool,
  alert: Alert,
  range: TimeRange,
  columns: string,
  rest = '',
): Promise<T[]> {
  const parameters = new Parameters();
  const where = condition(parameters, { organization: alert.organization, range, filter: alert.filters });
  const { rows } = await pool.query<T>(
    `SELECT ${columns} FROM ${await bookingsOf(pool)} WHERE ${where} ${rest}`,
    parameters.values,
  );
  return rows;
}

/** The period of the clock that `now` lies in: its range until now, its name, and its end. */
function periodOf(now: number, zone: string, unit: 'hour' | 'day' | 'month') {
  const text = new Date(wallTimeOf(now, zone)).toISOString();
  const period = text.slice(0, { hour: 13, day: 10, month: 7 }[unit]);
  const first = { hour: `${period}:00:00Z`, day: `${period}T00:00:00Z`, month: `${period}-01T00:00:00Z` }[
    unit
  ];
  const start = new Date(first);
  const next = new Date(first);
  if (unit === 'month') next.setUTCMonth(next.getUTCMonth() + 1);
  else next.setTime(next.getTime() + (unit === 'day' ? dayMs : hourMs));
  // Of an hour that is there twice the second one is meant when it is over the first.
  const begin = instantOf(start.getTime(), zone);
  const begins = unit === 'hour' && now - begin >= hourMs ? begin + hourMs : begin;
  return {
    range: { start: new Date(begins), end: new Date(now + 1) },
    period: begins === begin ? period : `${period} again`,
    end: instantOf(next.getTime(), zone),
  };
}

function hourOf(at: number): string {
  return new Date(at).toISOString().slice(0, 13);
}
