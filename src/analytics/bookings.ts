import type { PoolClient } from 'pg';
import type { Pool } from '../db/pool.ts';

/** What a row counts as, in the bits of `counts_as` (src/db/migrations/0022_analytics.sql). */
export const bits = {
  hit: 1,
  coalesced: 2,
  error: 4,
  unpriced: 8,
  /** It adds to tokens and money, and is no call. */
  noCall: 16,
};
/** Calls with usage whose price is not known. */
export const unpriced = `counts_as & ${bits.unpriced | bits.noCall} = ${bits.unpriced}`;

/** A call that is compared with another stays one, though nothing is added to that. */
const compared = (name: string) =>
  `'${name}', coalesce(a.${name}, CASE WHEN u.${name} IS NOT NULL THEN 0 END)`;

/** What an adjustment says in place of its call. It has no duration: it is no call. */
const changed = `
  'started_at', a.booked_at, 'duration_ms', NULL, 'first_chunk_ms', NULL, 'counts_as', u.counts_as | ${bits.noCall},
  'input_tokens', a.input_tokens, 'output_tokens', a.output_tokens, 'cache_read_tokens', a.cache_read_tokens,
  'list_usd', a.list_usd, 'cost_usd', a.cost_usd, 'tool_usd', a.tool_usd, 'saved_usd', a.saved_usd,
  ${['baseline_usd', 'routing_usd'].map(compared).join(', ')}`;

// The highest bit: PostgreSQL has an idea of how many rows lie below a number, and none of how many have a bit.
const adjusts = `counts_as >= ${bits.noCall} AS adjusts`;
const callsWith = (tags: string) => `SELECT ${adjusts}, ${tags} AS call_tags, usage.* FROM usage`;
/** Tags are read from the index where they fit into it. */
const callsByTag = (someAreLong: boolean) =>
  someAreLong
    ? `${callsWith('short_tags')} WHERE short_tags IS NOT NULL UNION ALL ${callsWith('tags')} WHERE short_tags IS NULL`
    : callsWith('short_tags');
const adjustments = `
  SELECT true AS adjusts, u.tags AS call_tags, booked.*
    FROM usage_adjustments a JOIN usage u USING (trace_id, span_id, started_at),
         jsonb_populate_record(u, jsonb_build_object(${changed})) AS booked`;

/**
 * What sums are made of, for a FROM: the calls, each at its time, and what was added to closed periods, each
 * when it was booked (src/db/migrations/0009_ledger.sql). The columns of usage; `adjusts`: it counts as no call (nor does
 * an attempt that another replaced); `call_tags`, which are quickest where they are told to be asked for (`byTag`).
 */
export async function bookingsOf(
  database: Pool | PoolClient,
  { byTag = false }: { byTag?: boolean } = {},
): Promise<string> {
  const { rows } = await database.query<{ adjusted: boolean; tagged_long: boolean }>(
    `SELECT EXISTS (SELECT FROM usage_adjustments) AS adjusted,
            $1 AND EXISTS (SELECT FROM usage WHERE short_tags IS NULL) AS tagged_long`,
    [byTag],
  );
  const [{ adjusted = false, tagged_long = false } = {}] = rows;
  const calls = byTag ? callsByTag(tagged_long) : callsWith('tags');
  // PostgreSQL sums one of these in parallel, several together only at times.
  return `(${adjusted ? `${calls} UNION ALL ${adjustments}` : calls}) AS bookings`;
}
