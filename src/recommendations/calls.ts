import type { PoolClient } from 'pg';
import type { TimeRange } from '../analytics/dates.ts';

/** What finders look at, of the wide rows of `usage`. */
const columns = `
  id, started_at, duration_ms, api_key, end_user, workload, provider, server_address, dialect, operation, path, stream,
  requested_model, model, max_output_tokens, reasoning_effort, outcome, finish_reason, cache, cache_key, prefix_hashes,
  input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, input_audio_tokens,
  output_audio_tokens, input_image_tokens, input_video_tokens, output_image_tokens, parts = '[]' AND tools = '{}' AS is_plain,
  cost_usd, tool_usd, saved_usd, service_tier, complexity, routing_mode, routing_model, routing_usd`;

/**
 * Gathers the calls of a period, as `calls`: read once, in parallel, and narrow, since each finder goes through all of
 * them. Calls of weir's own are not among them. Lives as long as the transaction.
 */
export async function gatherCalls(
  client: PoolClient,
  { organization, range }: { organization: string; range: TimeRange },
): Promise<void> {
  const [id, start, end] = [organization, range.start.toISOString(), range.end.toISOString()].map((text) =>
    client.escapeLiteral(text),
  );
  // A statement that makes a table takes no parameters.
  await client.query(
    `CREATE TEMP TABLE calls ON COMMIT DROP AS SELECT ${columns} FROM usage
      WHERE organization = ${id} AND started_at >= ${start} AND started_at < ${end} AND purpose IS NULL`,
  );
  await client.query('ANALYZE calls');
}
