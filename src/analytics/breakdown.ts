import type { Pool } from '../db/pool.ts';
import { bookingsOf } from './bookings.ts';
import type { TimeRange } from './dates.ts';
import { groupSql } from './groups.ts';
import { type CallFilter, condition, Parameters, parallel } from './usage-query.ts';

export const intervals = ['hour', 'day', 'week', 'month'] as const;
export type Interval = (typeof intervals)[number];

/** By what the groups are put in order, the greatest first. */
export const orders = {
  cost: 'sum(cost_usd)',
  saved: 'sum(saved_usd)',
  calls: 'count(*) FILTER (WHERE NOT adjusts)',
  input_tokens: 'sum(input_tokens)',
  output_tokens: 'sum(output_tokens)',
} as const;
export type Order = keyof typeof orders;

/** Sums of calls. Money in decimal strings of USD, null where nothing has a price. */
export interface Sums {
  calls: number;
  hits: number;
  coalesced: number;
  errors: number;
  /** What providers processed: answers of weir's own are not among it. */
  input_tokens: number;
  output_tokens: number;
  cache_read_tokens: number;
  cost_usd: string | null;
  tool_usd: string | null;
  saved_usd: string | null;
  /** What the models asked for would have cost: of calls that were not routed, what they cost; of weir's own, nothing. */
  baseline_usd: string | null;
  /** Calls with usage whose price is not known. */
  unpriced: number;
}

interface Latencies {
  p50_ms: number | null;
  p95_ms: number | null;
}

export interface BreakdownRow extends Sums, Latencies {
  group: Record<string, string | null>;
  /** Of a series: where its interval begins. */
  time: Date | null;
}

export interface BreakdownQuery {
  organization: string;
  range: TimeRange;
  filter: CallFilter;
  groupBy: string[];
  /** A series: each group once an interval, with zeros where there was nothing. */
  interval: Interval | null;
  zone: string;
  order: Order;
  /** Groups at most. */
  limit: number;
  /** Latencies cost a sort of all calls. */
  percentiles: boolean;
}

/** Answered by weir itself. */
const own = "cache IN ('hit', 'coalesced')";

/** Of bookings: an adjustment adds to tokens and money, and is no call. */
export const sums = `
  count(*) FILTER (WHERE NOT adjusts) AS calls,
  count(*) FILTER (WHERE cache = 'hit' AND NOT adjusts) AS hits,
  count(*) FILTER (WHERE cache = 'coalesced' AND NOT adjusts) AS coalesced,
  count(*) FILTER (WHERE outcome NOT IN ('completed', 'disconnected', 'unsettled') AND NOT adjusts) AS errors,
  coalesce(sum(input_tokens) FILTER (WHERE NOT ${own}), 0)::bigint AS input_tokens,
  coalesce(sum(output_tokens) FILTER (WHERE NOT ${own}), 0)::bigint AS output_tokens,
  coalesce(sum(cache_read_tokens) FILTER (WHERE NOT ${own}), 0)::bigint AS cache_read_tokens,
  trim_scale(sum(cost_usd))::text AS cost_usd,
  trim_scale(sum(tool_usd))::text AS tool_usd,
  trim_scale(sum(saved_usd))::text AS saved_usd,
  trim_scale(sum(coalesce(baseline_usd, cost_usd)))::text AS baseline_usd,
  count(*) FILTER (WHERE usage_source IS NOT NULL AND cost_usd IS NULL AND NOT adjusts) AS unpriced`;

/** Groups times intervals. */
const maxRows = 50_000;
/** A series of more rows than can be given at once. */
export class TooManyRows extends Error {}

const latencies = `
  percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms) AS p50_ms,
  percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms) AS p95_ms`;

type Grouped = Record<`g${number}`, string | null> & { time: Date | null };

/** Calls, tokens and money of one organization by groups; rows of a series are not filled up yet. */
export async function breakdown(pool: Pool, query: BreakdownQuery): Promise<BreakdownRow[]> {
  const { groupBy, interval, zone, order, limit } = query;
  const bookings = await bookingsOf(pool);
  function select<T>(measures: string): Promise<(Grouped & T)[]> {
    const parameters = new Parameters();
    const groups = groupBy.map((name) => groupSql(name, zone, parameters));
    const time = interval
      ? `date_trunc(${parameters.add(interval)}, started_at, ${parameters.add(zone)})`
      : 'NULL::timestamptz';
    const by = [...groups, ...(interval ? [time] : [])].map((_, index) => index + 1).join(', ');
    const columns = groups.map((sql, index) => `${sql} AS g${index}`);
    return parallel<Grouped & T>(
      pool,
      `SELECT ${[...columns, `${time} AS time`, measures].join(', ')}
         FROM ${bookings}
        WHERE ${condition(parameters, query)}
        ${by && `GROUP BY ${by}`}
        ORDER BY ${orders[order]} DESC NULLS LAST, count(*) DESC${by && `, ${by}`}
        LIMIT ${parameters.add(interval ? maxRows + 1 : limit)}`,
      parameters.values,
    );
  }
  const key = (row: Grouped) => JSON.stringify([row.time, ...groupBy.map((_, index) => row[`g${index}`])]);
  // Sums are made in parallel, a percentile never is: asked for together, neither would be.
  const [rows, slow] = await Promise.all([
    select<Sums>(sums),
    query.percentiles ? select<Latencies>(latencies) : [],
  ]);
  if (rows.length > maxRows) throw new TooManyRows();
  const times = new Map(slow.map((row) => [key(row), row]));
  return rows.map((row) => {
    const { p50_ms = null, p95_ms = null } = times.get(key(row)) ?? {};
    const group = groupBy.map((name, index) => [name, row[`g${index}`] ?? null]);
    return { ...row, p50_ms, p95_ms, group: Object.fromEntries(group) };
  });
}
