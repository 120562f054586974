import type { Pool } from '../db/pool.ts';
import { bookingsOf } from './bookings.ts';
import { rangeBefore, type TimeRange } from './dates.ts';
import { type Points, percentilesSql } from './percentiles.ts';
import { partsOf, type Sums, savings, sums } from './sums.ts';
import { type CallFilter, condition, isByTag, Parameters, parallel } from './usage-query.ts';

/** What one period came to. Money in decimal strings of USD, null where nothing has a price. */
export interface Period extends Sums {
  /** Answers of weir's own among all calls, from 0 to 1; null: there were none. */
  hit_rate: number | null;
  saved_by_cache_usd: string | null;
  saved_by_coalescing_usd: string | null;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
  /** Median time to the first chunk of streams. */
  first_chunk_p50_ms: number | null;
}

/** Reads of the provider's own prompt cache, by where their price is found. */
export interface CachedReads {
  provider: string;
  server_address: string;
  path: string;
  model: string | null;
  tokens: number;
}

export interface SummaryQuery {
  organization: string;
  range: TimeRange;
  filter: CallFilter;
}

/** A period and the one of the same length before. */
export async function summary(pool: Pool, query: SummaryQuery): Promise<{ now: Period; before: Period }> {
  const [now, before] = await Promise.all([
    period(pool, query),
    period(pool, { ...query, range: rangeBefore(query.range) }),
  ]);
  return { now, before };
}

async function period(pool: Pool, query: SummaryQuery): Promise<Period> {
  const bookings = await bookingsOf(pool, { byTag: isByTag(query.filter) });
  async function select<T extends object>(
    measures: string,
    from: (where: string) => string = (where) => `${bookings} WHERE ${where}`,
  ): Promise<T> {
    const parameters = new Parameters();
    const where = condition(parameters, query);
    const [row] = await parallel<T>(pool, `SELECT ${measures} FROM ${from(where)}`, parameters.values);
    if (!row) throw new Error('a sum without a row');
    return row;
  }
  const [sum, ...latencies] = await Promise.all([
    select<Summed>(`${sums}, ${savings}`, (where) => partsOf(bookings, where, [])),
    ...percentiles.map(([column, points]) =>
      select<Latencies>(
        '*',
        (where) => `(${percentilesSql({ from: bookings, where, column, keys: [] }, points)}) AS latencies`,
      ),
    ),
  ]);
  const row = Object.assign({}, sum, ...latencies) as Summed & Latencies;
  return { ...row, hit_rate: row.calls === 0 ? null : (row.hits + row.coalesced) / row.calls };
}

type Latencies = Pick<Period, 'p50_ms' | 'p95_ms' | 'p99_ms' | 'first_chunk_p50_ms'>;
type Summed = Omit<Period, keyof Latencies | 'hit_rate'>;

const percentiles: [column: string, Points][] = [
  ['duration_ms', { p50_ms: 0.5, p95_ms: 0.95, p99_ms: 0.99 }],
  ['first_chunk_ms', { first_chunk_p50_ms: 0.5 }],
];

/** What was read of the providers' prompt caches, for what that saved. */
export async function cachedReads(pool: Pool, query: SummaryQuery): Promise<CachedReads[]> {
  const parameters = new Parameters();
  const { rows } = await pool.query<CachedReads>(
    `SELECT provider, server_address, min(path) AS path, coalesce(model, requested_model) AS model,
            sum(cache_read_tokens)::bigint AS tokens
       FROM ${await bookingsOf(pool)}
      WHERE ${condition(parameters, query)} AND cache_read_tokens > 0 AND cache NOT IN ('hit', 'coalesced')
      GROUP BY 1, 2, 4`,
    parameters.values,
  );
  return rows;
}
