import type { Pool } from '../db/pool.ts';
import { bookingsOf } from './bookings.ts';
import type { TimeRange } from './dates.ts';
import { groupSql, isClock } from './groups.ts';
import { partialSums, type Sums, summedUp, sums } from './sums.ts';
import { type CallFilter, condition, Parameters, parallel } from './usage-query.ts';

export const intervals = ['hour', 'day', 'week', 'month'] as const;
export type Interval = (typeof intervals)[number];

const callsSql = 'count(*) FILTER (WHERE NOT adjusts)';

/** By what the groups are put in order, the greatest first. */
export const orders = {
  cost: 'sum(cost_usd)',
  saved: 'sum(saved_usd)',
  calls: callsSql,
  input_tokens: 'sum(input_tokens)',
  output_tokens: 'sum(output_tokens)',
} as const;
export type Order = keyof typeof orders;

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
  const bookings = await bookingsOf(pool);
  const { groupBy } = query;
  const key = (row: Grouped) => JSON.stringify([row.time, ...groupBy.map((_, index) => row[`g${index}`])]);
  const isTimed = query.interval !== null || groupBy.some(isClock);
  // Sums are made in parallel, a percentile never is: asked for together, neither would be.
  const [rows, slow] = await Promise.all([
    isTimed ? byQuarters(pool, query, bookings) : select<Sums>(pool, query, sums, bookings),
    query.percentiles ? select<Latencies>(pool, query, latencies, bookings) : [],
  ]);
  if (rows.length > maxRows) throw new TooManyRows();
  const times = new Map(slow.map((row) => [key(row), row]));
  return rows.map((row) => {
    const { p50_ms = null, p95_ms = null } = times.get(key(row)) ?? {};
    const group = groupBy.map((name, index) => [name, row[`g${index}`] ?? null]);
    return { ...row, p50_ms, p95_ms, group: Object.fromEntries(group) };
  });
}

function select<T>(
  pool: Pool,
  query: BreakdownQuery,
  measures: string,
  bookings: string,
): Promise<(Grouped & T)[]> {
  const parameters = new Parameters();
  const groups = query.groupBy.map((name) => groupSql(name, query.zone, parameters));
  const from = `${bookings} WHERE ${condition(parameters, query)}`;
  return ask<T>(pool, query, { groups, measures, from, parameters, calls: callsSql });
}

/**
 * The sums where clocks matter: a quarter of an hour each at first, so that only these are looked up in the time zone.
 * No clock is off by less.
 */
function byQuarters(pool: Pool, query: BreakdownQuery, bookings: string): Promise<(Grouped & Sums)[]> {
  const parameters = new Parameters();
  const { groupBy, zone } = query;
  const plain = groupBy.flatMap((name, index) =>
    isClock(name) ? [] : [`${groupSql(name, zone, parameters)} AS g${index}`],
  );
  const quarter = "date_bin('15 minutes', started_at, timestamptz 'epoch') AS started_at";
  const from = `(SELECT ${[...plain, quarter, partialSums].join(', ')} FROM ${bookings}
      WHERE ${condition(parameters, query)}
      GROUP BY ${[...plain, quarter].map((_, index) => index + 1).join(', ')}) AS quarters`;
  const groups = groupBy.map((name, index) =>
    isClock(name) ? groupSql(name, zone, parameters) : `g${index}`,
  );
  return ask<Sums>(pool, query, { groups, measures: summedUp, from, parameters, calls: 'sum(calls)' });
}

function ask<T>(
  pool: Pool,
  { interval, zone, order, limit }: BreakdownQuery,
  asked: { groups: string[]; measures: string; from: string; parameters: Parameters; calls: string },
): Promise<(Grouped & T)[]> {
  const { groups, measures, from, parameters, calls } = asked;
  const time = interval
    ? `date_trunc(${parameters.add(interval)}, started_at, ${parameters.add(zone)})`
    : 'NULL::timestamptz';
  const by = [...groups, ...(interval ? [time] : [])].map((_, index) => index + 1).join(', ');
  const columns = groups.map((sql, index) => `${sql} AS g${index}`);
  const worth = order === 'calls' ? calls : orders[order];
  return parallel<Grouped & T>(
    pool,
    `SELECT ${[...columns, `${time} AS time`, measures].join(', ')} FROM ${from}
      ${by && `GROUP BY ${by}`}
      ORDER BY ${worth} DESC NULLS LAST, ${calls} DESC${by && `, ${by}`}
      LIMIT ${parameters.add(interval ? maxRows + 1 : limit)}`,
    parameters.values,
  );
}
