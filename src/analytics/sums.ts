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

/** Columns that sums tell apart: looked at once a part, not once a call. */
const apart = ['cache', 'outcome'];
const parts = {
  // An adjustment adds to tokens and money, and is no call.
  calls: 'count(*) FILTER (WHERE NOT adjusts)',
  unpriced: 'count(*) FILTER (WHERE usage_source IS NOT NULL AND cost_usd IS NULL AND NOT adjusts)',
  input_tokens: 'sum(input_tokens)',
  output_tokens: 'sum(output_tokens)',
  cache_read_tokens: 'sum(cache_read_tokens)',
  cost_usd: 'sum(cost_usd)',
  tool_usd: 'sum(tool_usd)',
  saved_usd: 'sum(saved_usd)',
  // Most calls have no baseline: adding up what it is more than the cost costs them nothing.
  more_usd: 'sum(baseline_usd - coalesce(cost_usd, 0))',
};

/**
 * Bookings put together in parts, for a FROM: by `keys` (expressions with their names), and by what sums tell
 * apart.
 */
export function partsOf(bookings: string, where: string, keys: readonly string[]): string {
  const columns = Object.entries(parts).map(([name, sql]) => `${sql} AS ${name}`);
  const by = [...keys, ...apart];
  return `(SELECT ${[...by, ...columns].join(', ')} FROM ${bookings} WHERE ${where}
      GROUP BY ${by.map((_, index) => index + 1).join(', ')}) AS parts`;
}

/** Answered by weir itself. */
const own = "cache IN ('hit', 'coalesced')";
const count = (sql: string, filter = 'true') => `coalesce(sum(${sql}) FILTER (WHERE ${filter}), 0)::bigint`;
const money = (sql: string) => `trim_scale(${sql})::text`;

const measures: Record<keyof Sums, string> = {
  calls: count('calls'),
  hits: count('calls', "cache = 'hit'"),
  coalesced: count('calls', "cache = 'coalesced'"),
  errors: count('calls', "outcome NOT IN ('completed', 'disconnected', 'unsettled')"),
  input_tokens: count('input_tokens', `NOT ${own}`),
  output_tokens: count('output_tokens', `NOT ${own}`),
  cache_read_tokens: count('cache_read_tokens', `NOT ${own}`),
  cost_usd: money('sum(cost_usd)'),
  tool_usd: money('sum(tool_usd)'),
  saved_usd: money('sum(saved_usd)'),
  baseline_usd: money('sum(coalesce(cost_usd + coalesce(more_usd, 0), more_usd))'),
  unpriced: count('unpriced'),
};

/** The sums of parts. */
export const sums = Object.entries(measures)
  .map(([name, sql]) => `${sql} AS ${name}`)
  .join(', ');
