import type { PoolClient } from 'pg';
import type { Pool } from '../db/pool.ts';

/** A call that is compared with another stays one, though nothing is added to that. */
const compared = (name: string) =>
  `'${name}', coalesce(a.${name}, CASE WHEN u.${name} IS NOT NULL THEN 0 END)`;

/** What an adjustment says in place of its call. It has no duration: it is no call. */
const changed = `
  'started_at', a.booked_at, 'duration_ms', NULL, 'first_chunk_ms', NULL, 'input_tokens', a.input_tokens,
  'output_tokens', a.output_tokens, 'cache_read_tokens', a.cache_read_tokens, 'list_usd', a.list_usd,
  'cost_usd', a.cost_usd, 'tool_usd', a.tool_usd, 'saved_usd', a.saved_usd, ${['baseline_usd', 'routing_usd'].map(compared).join(', ')}`;

/** An attempt that another replaced has its tokens and its price, and is no call. */
const calls = "SELECT outcome = 'retried' AS adjusts, usage.* FROM usage";
const adjustments = `
  SELECT true AS adjusts, booked.*
    FROM usage_adjustments a JOIN usage u USING (trace_id, span_id, started_at),
         jsonb_populate_record(u, jsonb_build_object(${changed})) AS booked`;

/**
 * What sums are made of, for a FROM: the calls, each at its time, and what was added to closed periods, each
 * when it was booked (src/db/migrations/0009_ledger.sql). The columns of usage, and `adjusts`: it counts as no call.
 */
export async function bookingsOf(database: Pool | PoolClient): Promise<string> {
  const { rowCount } = await database.query('SELECT FROM usage_adjustments LIMIT 1');
  // PostgreSQL sums the calls alone in parallel, both together not.
  return `(${rowCount === 0 ? calls : `${calls} UNION ALL ${adjustments}`}) AS bookings`;
}
