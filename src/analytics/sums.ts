import { bits, unpriced } from './bookings.ts';

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

const parts = {
  calls: 'count(*)',
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
 * Bookings put together in parts, for a FROM: by `keys` (expressions with their names), and by what they count as,
 * which is looked at once a part then, not once a call.
 */
export function partsOf(bookings: string, where: string, keys: readonly string[]): string {
  const columns = Object.entries(parts).map(([name, sql]) => `${sql} AS ${name}`);
  const by = [...keys, 'counts_as'];
  return `(SELECT ${[...by, ...columns].join(', ')} FROM ${bookings} WHERE ${where}
      GROUP BY ${by.map((_, index) => index + 1).join(', ')}) AS parts`;
}

const is = (mask: number) => `counts_as & ${mask} <> 0`;
const total = (sql: string, filter: string) => `coalesce(sum(${sql}) FILTER (WHERE ${filter}), 0)::bigint`;
/** Calls, or those of them that have a bit. */
const count = (bit?: number) => total('calls', `NOT ${is(bits.noCall)}${bit ? ` AND ${is(bit)}` : ''}`);
/** Of what providers answered. */
const tokens = (sql: string) => total(sql, `NOT ${is(bits.hit | bits.coalesced)}`);
const money = (sql: string, bit?: number) =>
  `trim_scale(sum(${sql})${bit ? ` FILTER (WHERE ${is(bit)})` : ''})::text`;

const measures: Record<keyof Sums, string> = {
  calls: count(),
  hits: count(bits.hit),
  coalesced: count(bits.coalesced),
  errors: count(bits.error),
  input_tokens: tokens('input_tokens'),
  output_tokens: tokens('output_tokens'),
  cache_read_tokens: tokens('cache_read_tokens'),
  cost_usd: money('cost_usd'),
  tool_usd: money('tool_usd'),
  saved_usd: money('saved_usd'),
  baseline_usd: money('coalesce(cost_usd + coalesce(more_usd, 0), more_usd)'),
  unpriced: total('calls', unpriced),
};

const listed = (columns: Record<string, string>) =>
  Object.entries(columns)
    .map(([name, sql]) => `${sql} AS ${name}`)
    .join(', ');

/** The sums of parts. */
export const sums = listed(measures);
/** And what of the savings the cache did, and waiting for the answer to an equal call. */
export const savings = listed({
  saved_by_cache_usd: money('saved_usd', bits.hit),
  saved_by_coalescing_usd: money('saved_usd', bits.coalesced),
});
