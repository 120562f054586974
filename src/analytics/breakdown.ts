import type { Pool } from '../db/pool.ts';
import type { TimeRange } from './dates.ts';

/** What can be grouped by, and how it stands in a row of usage. */
const groups = {
  model: 'coalesce(model, requested_model)',
  provider: 'provider',
} as const;

export type Group = keyof typeof groups;
export const groupNames = Object.keys(groups) as [Group, ...Group[]];

/** Sums over one group. Money in decimal strings of USD, null where nothing has a price. */
export interface BreakdownRow {
  group: Record<string, string | null>;
  calls: number;
  hits: number;
  errors: number;
  /** What providers processed: hits are not among it. */
  input_tokens: number;
  output_tokens: number;
  cost_usd: string | null;
  tool_usd: string | null;
  saved_usd: string | null;
  /** Calls with usage whose price is not known. */
  unpriced: number;
  p50_ms: number | null;
  p95_ms: number | null;
}

const sums = `
  count(*) AS calls,
  count(*) FILTER (WHERE cache = 'hit') AS hits,
  count(*) FILTER (WHERE outcome NOT IN ('completed', 'disconnected', 'unsettled')) AS errors,
  coalesce(sum(input_tokens) FILTER (WHERE cache <> 'hit'), 0)::bigint AS input_tokens,
  coalesce(sum(output_tokens) FILTER (WHERE cache <> 'hit'), 0)::bigint AS output_tokens,
  trim_scale(sum(cost_usd))::text AS cost_usd,
  trim_scale(sum(tool_usd))::text AS tool_usd,
  trim_scale(sum(saved_usd))::text AS saved_usd,
  count(*) FILTER (WHERE usage_source IS NOT NULL AND cost_usd IS NULL) AS unpriced,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms) AS p50_ms,
  percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms) AS p95_ms`;

/** Calls, tokens and money of one organization by groups, the dearest first. */
export async function breakdown(
  pool: Pool,
  query: { organization: string; range: TimeRange; groupBy: Group[]; limit: number },
): Promise<BreakdownRow[]> {
  const { organization, range, groupBy, limit } = query;
  const columns = groupBy.map((name) => `${groups[name]} AS ${name}`).join(', ');
  const places = groupBy.map((_, index) => index + 1).join(', ');
  const { rows } = await pool.query<Omit<BreakdownRow, 'group'> & Record<Group, string | null>>(
    `SELECT ${columns}, ${sums}
       FROM usage
      WHERE organization = $1 AND started_at >= $2 AND started_at < $3
      GROUP BY ${places}
      ORDER BY sum(cost_usd) DESC NULLS LAST, calls DESC, ${places}
      LIMIT $4`,
    [organization, range.start, range.end, limit],
  );
  return rows.map((row) => {
    const { model, provider, ...rest } = row;
    const values: Record<Group, string | null> = { model, provider };
    return { group: Object.fromEntries(groupBy.map((name) => [name, values[name] ?? null])), ...rest };
  });
}
