import { Parameters } from '../analytics/usage-query.ts';
import { amountOf } from '../usage/prices/decimal.ts';
import { type Context, type Fact, type Finder, paid } from './recommendation.ts';
import { unitPrices } from './unit-prices.ts';

const claim = 'prompt-cache';
/** How long providers keep what was cached, at least (Anthropic's "Prompt caching"; OpenAI's: five to ten minutes). */
const kept = "interval '5 minutes'";
/** Tokens of a step of prefix_hashes: src/dialects. Providers cache from 1,024 tokens on; some small models from 2,048. */
const step = 1_024;

interface Seller {
  provider: string;
  server_address: string;
  path: string;
  model: string;
}

const uncached = `outcome = 'completed' AND coalesce(cache_read_tokens, 0) = 0 AND coalesce(cache_write_tokens, 0) = 0
  AND prefix_hashes <> '[]' AND input_tokens >= ${step}`;
const model = 'coalesce(model, requested_model)';

/** Prompts that began alike within minutes, at the full price of input each time. */
export const promptCache: Finder = async (context) => {
  const { rows } = await context.client.query<Seller>(
    `SELECT provider, server_address, min(path) AS path, ${model} AS model FROM calls
      WHERE ${paid} AND ${uncached} GROUP BY 1, 2, 4`,
  );
  for (const row of rows) await claimPrefixes(context, row);
  const { rows: groups } = await context.client.query<Record<string, Fact>>(
    `SELECT provider, ${model} AS model, workload, api_key, count(*) AS calls, sum(detail::bigint)::bigint AS repeated_tokens,
            trim_scale(sum(saved))::text AS potential_savings_usd
       FROM claims JOIN calls USING (id, started_at)
      WHERE claim = '${claim}' GROUP BY 1, 2, 3, 4 ORDER BY sum(saved) DESC LIMIT 10`,
  );
  return [
    {
      claim,
      type: 'prompt_cache',
      title: 'Long prompts began alike within minutes, and the provider’s prompt cache was not used',
      evidence: { minutes_between_at_most: 5 },
      groups,
      patch: null,
      advice:
        'Mark the part that stays the same with cache_control (Anthropic), or keep it first and send one prompt_cache_key (OpenAI). What changes comes last.',
    },
  ];
};

/** What is written once costs more with some, what is read again less. */
async function claimPrefixes(context: Context, seller: Seller): Promise<void> {
  const { provider, server_address, path } = seller;
  const baseUrl = `https://${server_address}${path}`;
  const at = context.range.end.getTime();
  const prices = unitPrices(context.pricer, { provider, baseUrl, model: seller.model, at });
  if (!prices || amountOf(prices.cacheRead) >= amountOf(prices.input)) return;
  const parameters = new Parameters();
  const value = (each: unknown) => parameters.add(each);
  const tokens = (steps: string) => `least(input_tokens, ${step} * coalesce(${steps}, 0))`;
  await context.client.query(
    `WITH prefixes AS (
       SELECT id, started_at, input_tokens, hash, n FROM calls, jsonb_array_elements_text(prefix_hashes) WITH ORDINALITY AS p(hash, n)
        WHERE ${paid} AND ${uncached} AND provider = ${value(provider)} AND server_address = ${value(server_address)}
          AND ${model} = ${value(seller.model)}),
     seen AS (
       SELECT *, started_at - lag(started_at) OVER by_hash <= ${kept} AS again,
              lead(started_at) OVER by_hash - started_at <= ${kept} AS later
         FROM prefixes WINDOW by_hash AS (PARTITION BY hash ORDER BY started_at)),
     calls AS (
       SELECT id, started_at, input_tokens, max(n) FILTER (WHERE again) AS read, max(n) FILTER (WHERE again OR later) AS written
         FROM seen GROUP BY 1, 2, 3)
     INSERT INTO claims
     SELECT '${claim}', id, started_at,
            ${tokens('read')} * (${value(prices.input)}::numeric - ${value(prices.cacheRead)}::numeric)
              - (${tokens('written')} - ${tokens('read')}) * (${value(prices.cacheWrite)}::numeric - ${value(prices.input)}::numeric),
            ${tokens('read')}
       FROM calls WHERE written IS NOT NULL`,
    parameters.values,
  );
}
