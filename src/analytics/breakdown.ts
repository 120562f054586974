import type { Pool } from '../db/pool.ts';
import { bookingsOf } from './bookings.ts';
import type { TimeRange } from './dates.ts';
import { groupSql, isClock } from './groups.ts';
import { callsSql, partsOf, type Sums, sums } from './sums.ts';
import { type CallFilter, condition, Parameters, parallel } from './usage-query.ts';

export const intervals = ['hour', 'day', 'week', 'month'] as const;
export type Interval = (typeof intervals)[number];

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
  percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms) FILTER (WHERE NOT adjusts) AS p50_ms,
  percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms) FILTER (WHERE NOT adjusts) AS p95_ms`;

type Grouped = Record<`g${number}`, string | null> & { time: Date | null };

/** Calls, tokens and money of one organization by groups; rows of a series are not filled up yet. */
export async function breakdown(pool: Pool, query: BreakdownQuery): Promise<BreakdownRow[]> {
  const bookings = await bookingsOf(pool);
  const { groupBy } = query;
  const key = (row: Grouped) => JSON.stringify([row.time, ...groupBy.map((_, index) => row[`g${index}`])]);
  // Sums are made in parallel, a percentile never is: asked for together, neither would be.
  const [rows, slow] = await Promise.all([
    sumsOf(pool, query, bookings),
    query.percentiles ? latenciesOf(pool, query, bookings) : [],
  ]);
  if (rows.length > maxRows) throw new TooManyRows();
  const times = new Map(slow.map((row) => [key(row), row]));
  return rows.map((row) => {
    const { p50_ms = null, p95_ms = null } = times.get(key(row)) ?? {};
    const group = groupBy.map((name, index) => [name, row[`g${index}`] ?? null]);
    return { ...row, p50_ms, p95_ms, group: Object.fromEntries(group) };
  });
}

function sumsOf(pool: Pool, query: BreakdownQuery, bookings: string): Promise<(Grouped & Sums)[]> {
  const parameters = new Parameters();
  const { groupBy, zone, interval, order } = query;
  const plain = groupBy.flatMap((name, index) =>
    isClock(name) ? [] : [`${groupSql(name, zone, parameters)} AS g${index}`],
  );
  // Only quarters of an hour are looked up in the time zone, not each call: no clock is off by less.
  const quarters = "date_bin('15 minutes', started_at, timestamptz 'epoch') AS started_at";
  const keys = interval !== null || groupBy.some(isClock) ? [...plain, quarters] : plain;
  const from = partsOf(bookings, condition(parameters, query), keys);
  const groups = groupBy.map((name, index) =>
    isClock(name) ? groupSql(name, zone, parameters) : `g${index}`,
  );
  const worth = order === 'calls' ? 'sum(calls)' : orders[order];
  return ask<Sums>(pool, query, { groups, measures: sums, from, parameters, worth, calls: 'sum(calls)' });
}

function latenciesOf(pool: Pool, query: BreakdownQuery, bookings: string): Promise<(Grouped & Latencies)[]> {
  const parameters = new Parameters();
  const groups = query.groupBy.map((name) => groupSql(name, query.zone, parameters));
  const from = `${bookings} WHERE ${condition(parameters, query)}`;
  const worth = orders[query.order];
  return ask<Latencies>(pool, query, {
    groups,
    measures: latencies,
    from,
    parameters,
    worth,
    calls: callsSql,
  });
}

/** Asks for groups; `worth` and `calls` put them in order. */
function ask<T>(
  pool: Pool,
  { interval, zone, limit }: BreakdownQuery,
  asked: {
    groups: string[];
    measures: string;
    from: string;
    parameters: Parameters;
    worth: string;
    calls: string;
  },
): Promise<(Grouped & T)[]> {
  const { groups, measures, from, parameters, worth, calls } = asked;
  const time = interval
    ? `date_trunc(${parameters.add(interval)}, started_at, ${parameters.add(zone)})`
    : 'NULL::timestamptz';
  const by = [...groups, ...(interval ? [time] : [])].map((_, index) => index + 1).join(', ');
  const columns = groups.map((sql, index) => `${sql} AS g${index}`);
  return parallel<Grouped & T>(
    pool,
    `SELECT ${[...columns, `${time} AS time`, measures].join(', ')} FROM ${from}
      ${by && `GROUP BY ${by}`}
      ORDER BY ${worth} DESC NULLS LAST, ${calls} DESC${by && `, ${by}`}
      LIMIT ${parameters.add(interval ? maxRows + 1 : limit)}`,
    parameters.values,
  );
}
