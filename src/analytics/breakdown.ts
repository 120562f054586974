import type { Pool } from '../db/pool.ts';
import { bookingsOf } from './bookings.ts';
import type { TimeRange } from './dates.ts';
import { groupSql, isClock, isTag } from './groups.ts';
import { percentilesSql } from './percentiles.ts';
import { partsOf, type Sums, sums } from './sums.ts';
import { type CallFilter, condition, isByTag, Parameters, parallel } from './usage-query.ts';
import { isOffByHours } from './zone.ts';

export const intervals = ['hour', 'day', 'week', 'month'] as const;
export type Interval = (typeof intervals)[number];

/** By what the groups are put in order, the greatest first. */
export const orders = {
  cost: 'sum(cost_usd)',
  saved: 'sum(saved_usd)',
  calls: 'sum(calls)',
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

const latencies = { p50_ms: 0.5, p95_ms: 0.95 };

type Grouped = Record<`g${number}`, string | null> & { time: Date | null };

/** Calls, tokens and money of one organization by groups; rows of a series are not filled up yet. */
export async function breakdown(pool: Pool, query: BreakdownQuery): Promise<BreakdownRow[]> {
  const { groupBy, filter } = query;
  const bookings = await bookingsOf(pool, { byTag: groupBy.some(isTag) || isByTag(filter) });
  const key = (row: Grouped) => JSON.stringify([row.time, ...groupBy.map((_, index) => row[`g${index}`])]);
  const rows = await sumsOf(pool, query, bookings);
  if (rows.length > maxRows) throw new TooManyRows();
  // One after the other: each takes all cores.
  const slow = query.percentiles ? await latenciesOf(pool, query, bookings, rows) : [];
  const times = new Map(slow.map((row) => [key(row), row]));
  return rows.map((row) => {
    const { p50_ms = null, p95_ms = null } = times.get(key(row)) ?? {};
    const group = groupBy.map((name, index) => [name, row[`g${index}`] ?? null]);
    return { ...row, p50_ms, p95_ms, group: Object.fromEntries(group) };
  });
}

function sumsOf(pool: Pool, query: BreakdownQuery, bookings: string): Promise<(Grouped & Sums)[]> {
  const parameters = new Parameters();
  const { groupBy, zone, interval, order, limit } = query;
  const plain = groupBy.flatMap((name, index) =>
    isClock(name) ? [] : [`${groupSql(name, zone, parameters)} AS g${index}`],
  );
  const keys = interval !== null || groupBy.some(isClock) ? [...plain, stepsOf(query)] : plain;
  const from = partsOf(bookings, condition(parameters, query), keys);
  const groups = groupBy.map((name, index) =>
    isClock(name) ? groupSql(name, zone, parameters) : `g${index}`,
  );
  const time = timeSql(query, parameters);
  const by = [...groups, ...(interval ? [time] : [])].map((_, index) => index + 1).join(', ');
  const columns = groups.map((sql, index) => `${sql} AS g${index}`);
  return parallel<Grouped & Sums>(
    pool,
    `SELECT ${[...columns, `${time} AS time`, sums].join(', ')} FROM ${from}
      ${by && `GROUP BY ${by}`}
      ORDER BY ${orders[order]} DESC NULLS LAST, ${orders.calls} DESC${by && `, ${by}`}
      LIMIT ${parameters.add(interval ? maxRows + 1 : limit)}`,
    parameters.values,
  );
}

/** Only these are looked up in the time zone, not each call: no clock is off by less. */
function stepsOf({ zone, range }: BreakdownQuery): string {
  const step = isOffByHours(zone, range.start.getTime(), range.end.getTime()) ? '1 hour' : '15 minutes';
  return `date_bin('${step}', started_at, timestamptz 'epoch') AS started_at`;
}

function timeSql({ interval, zone }: BreakdownQuery, parameters: Parameters): string {
  return interval
    ? `date_trunc(${parameters.add(interval)}, started_at, ${parameters.add(zone)})`
    : 'NULL::timestamptz';
}

/** Of the groups that were found. */
function latenciesOf(
  pool: Pool,
  query: BreakdownQuery,
  bookings: string,
  found: Grouped[],
): Promise<(Grouped & Latencies)[]> {
  const parameters = new Parameters();
  const { groupBy, zone, interval, limit } = query;
  const groups = groupBy.map((name) => groupSql(name, zone, parameters));
  const isCut = interval === null && found.length === limit;
  const among = (isCut ? groups : []).map((sql, index) => {
    const values = [...new Set(found.map((row) => row[`g${index}`] ?? null))];
    return `(${sql} = ANY(${parameters.add(values)}::text[]) OR ${sql} IS NULL)`;
  });
  const where = [condition(parameters, query), ...among].join(' AND ');
  const keys = [
    ...groups.map((sql, index) => [sql, `g${index}`] as const),
    [timeSql(query, parameters), 'time'] as const,
  ];
  const sql = percentilesSql({ from: bookings, where, column: 'duration_ms', keys }, latencies);
  return parallel<Grouped & Latencies>(pool, sql, parameters.values);
}
