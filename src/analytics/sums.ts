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

/** Answered by weir itself. */
const own = "cache IN ('hit', 'coalesced')";

type Kind = 'count' | 'money';
/** Of bookings: an adjustment adds to tokens and money, and is no call. */
const measures: Record<keyof Sums, [kind: Kind, sql: string]> = {
  calls: ['count', 'count(*) FILTER (WHERE NOT adjusts)'],
  hits: ['count', "count(*) FILTER (WHERE cache = 'hit' AND NOT adjusts)"],
  coalesced: ['count', "count(*) FILTER (WHERE cache = 'coalesced' AND NOT adjusts)"],
  errors: [
    'count',
    "count(*) FILTER (WHERE outcome NOT IN ('completed', 'disconnected', 'unsettled') AND NOT adjusts)",
  ],
  input_tokens: ['count', `sum(input_tokens) FILTER (WHERE NOT ${own})`],
  output_tokens: ['count', `sum(output_tokens) FILTER (WHERE NOT ${own})`],
  cache_read_tokens: ['count', `sum(cache_read_tokens) FILTER (WHERE NOT ${own})`],
  cost_usd: ['money', 'sum(cost_usd)'],
  tool_usd: ['money', 'sum(tool_usd)'],
  saved_usd: ['money', 'sum(saved_usd)'],
  baseline_usd: ['money', 'sum(coalesce(baseline_usd, cost_usd))'],
  unpriced: [
    'count',
    'count(*) FILTER (WHERE usage_source IS NOT NULL AND cost_usd IS NULL AND NOT adjusts)',
  ],
};

const list = Object.entries(measures);
const told = (kind: Kind, sql: string) =>
  kind === 'money' ? `trim_scale(${sql})::text` : `coalesce(${sql}, 0)::bigint`;

/** The sums of bookings. */
export const sums = list.map(([name, [kind, sql]]) => `${told(kind, sql)} AS ${name}`).join(', ');
/** The same in parts, which `summedUp` puts together. */
export const partialSums = list.map(([name, [, sql]]) => `${sql} AS ${name}`).join(', ');
export const summedUp = list.map(([name, [kind]]) => `${told(kind, `sum(${name})`)} AS ${name}`).join(', ');
