import type { Pool } from '../db/pool.ts';
import type { TimeRange } from './dates.ts';
import { type CallFilter, condition, Parameters } from './usage-query.ts';

/** One line of the ledger as the API shows it. Money in decimal strings of USD or null. */
export interface ExchangeRow {
  id: string;
  started_at: Date;
  organization: string;
  user: string | null;
  workload: string | null;
  pod: string | null;
  provider: string;
  operation: string;
  requested_model: string | null;
  model: string | null;
  outcome: string;
  status: number | null;
  error_code: string | null;
  cache: string;
  usage_source: string | null;
  input_tokens: number | null;
  output_tokens: number | null;
  cache_read_tokens: number | null;
  cache_write_tokens: number | null;
  reasoning_tokens: number | null;
  cost_usd: string | null;
  list_usd: string | null;
  cost_upper_usd: string | null;
  tool_usd: string | null;
  reported_usd: string | null;
  cost_disputed: boolean | null;
  saved_usd: string | null;
  /** What was added to `cost_usd` after its period was closed. */
  adjustment_usd: string | null;
  duration_ms: number;
  first_chunk_ms: number | null;
  attempts: number;
  complexity: string | null;
  complexity_score: number | null;
  routing_mode: string | null;
  routing_model: string | null;
  routing_reason: string | null;
  routing_usd: string | null;
  baseline_model: string | null;
  baseline_usd: string | null;
  baseline_source: string | null;
  purpose: string | null;
  purpose_of: string | null;
}

const money = (name: string) => `trim_scale(${name})::text AS ${name}`;
const adjustment = `(SELECT trim_scale(nullif(sum(a.cost_usd), 0))::text FROM usage_adjustments a
  WHERE a.trace_id = usage.trace_id AND a.span_id = usage.span_id AND a.started_at = usage.started_at) AS adjustment_usd`;
const columns = `id, started_at, organization, end_user AS "user", workload, pod, provider, operation,
  requested_model, model, outcome, status, error_code, cache, usage_source, input_tokens, output_tokens,
  cache_read_tokens, cache_write_tokens, reasoning_tokens, ${money('cost_usd')}, ${money('list_usd')},
  ${money('cost_upper_usd')}, ${money('tool_usd')}, ${money('reported_usd')}, cost_disputed, ${money('saved_usd')}, ${adjustment}, duration_ms, first_chunk_ms, attempts,
  complexity, complexity_score, routing_mode, routing_model, routing_reason, ${money('routing_usd')},
  baseline_model, ${money('baseline_usd')}, baseline_source, purpose, purpose_of`;

/** A page of exchanges, the newest first, and the cursor of the next page; null: there is none. */
export async function listExchanges(
  pool: Pool,
  query: {
    organization: string;
    range: TimeRange;
    filter: CallFilter;
    cursor: Cursor | null;
    limit: number;
  },
): Promise<{ exchanges: ExchangeRow[]; next: Cursor | null }> {
  const { cursor, limit } = query;
  const parameters = new Parameters();
  const terms = [condition(parameters, query)];
  if (query.filter.outcome === undefined) terms.push("outcome <> 'retried'");
  if (cursor)
    terms.push(
      `(started_at, id) < (${parameters.add(cursor.at)}::timestamptz, ${parameters.add(cursor.id)}::uuid)`,
    );
  const { rows } = await pool.query<ExchangeRow & { at: string }>(
    `SELECT ${columns}, started_at::text AS at
       FROM (SELECT tags AS call_tags, * FROM usage) AS usage
      WHERE ${terms.join(' AND ')}
      ORDER BY started_at DESC, id DESC
      LIMIT ${parameters.add(limit + 1)}`,
    parameters.values,
  );
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return {
    exchanges: page.map(({ at: _, ...row }) => row),
    next: rows.length > limit && last ? { at: last.at, id: last.id } : null,
  };
}

/** One exchange of an organization; null: it has none of this id. */
export async function findExchange(
  pool: Pool,
  organization: string,
  id: string,
): Promise<ExchangeRow | null> {
  const { rows } = await pool.query<ExchangeRow>(
    `SELECT ${columns} FROM usage WHERE organization = $1 AND id = $2`,
    [organization, id],
  );
  return rows[0] ?? null;
}

/** An attempt that another replaced. */
export interface RetriedAttempt {
  started_at: Date;
  duration_ms: number;
  provider: string;
  model: string | null;
  status: number | null;
  /** Of the provider, or `timeout`, `no_answer`, `broken_off`. */
  error_code: string | null;
  /** null: it was not billed. */
  usage_source: string | null;
  input_tokens: number | null;
  cost_usd: string | null;
  cost_upper_usd: string | null;
}

/** What was tried before an exchange got its answer, in order. */
export async function attemptsOf(pool: Pool, exchange: ExchangeRow): Promise<RetriedAttempt[]> {
  // Within its time: there is an index by that.
  const { rows } = await pool.query<RetriedAttempt>(
    `SELECT started_at, duration_ms, provider, model, status, error_code, usage_source, input_tokens,
            ${money('cost_usd')}, ${money('cost_upper_usd')}
       FROM usage
      WHERE organization = $1 AND started_at >= $2 AND started_at <= $2 + $3 * interval '1 ms' + interval '1 s'
        AND outcome = 'retried' AND purpose_of = $4
      ORDER BY started_at, span_id`,
    [exchange.organization, exchange.started_at, exchange.duration_ms, exchange.id],
  );
  return rows;
}

/** A place in the list: behind this exchange. `at` in PostgreSQL's own text, to the microsecond. */
export interface Cursor {
  at: string;
  id: string;
}

export function encodeCursor(cursor: Cursor): string {
  return Buffer.from(JSON.stringify([cursor.at, cursor.id])).toString('base64url');
}

/** null: this is no cursor of ours. */
export function decodeCursor(text: string): Cursor | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    if (!Array.isArray(value) || value.length !== 2) return null;
    const [at, id]: unknown[] = value;
    if (typeof at !== 'string' || typeof id !== 'string') return null;
    const valid =
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?[+-]\d\d(:?\d\d)?$/.test(at) && /^[0-9a-f-]{36}$/.test(id);
    return valid ? { at, id } : null;
  } catch {
    return null;
  }
}
