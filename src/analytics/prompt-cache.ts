import type { Pool } from '../db/pool.ts';
import type { Pricer } from '../usage/price.ts';
import { amountOf, toDecimal } from '../usage/prices/decimal.ts';
import { noUsage } from '../usage/record.ts';
import { cachedReads, type SummaryQuery } from './summary.ts';

/** So many tokens at once: below the point from which long prompts have other prices. */
const sample = 100_000;

/**
 * What reads of the providers' prompt caches saved: their tokens at the list price of other input, less what
 * they cost. Decimal USD, null: nothing of it has a price.
 */
export async function promptCacheSavings(
  pool: Pool,
  query: SummaryQuery,
  pricer: Pricer,
): Promise<string | null> {
  const reads = await cachedReads(pool, query);
  const saved = reads.flatMap(({ provider, server_address, path, model, tokens }) => {
    const priceOf = (cacheRead: number) =>
      model === null
        ? null
        : pricer({
            provider,
            baseUrl: `https://${server_address}${path}`,
            model,
            usage: { ...noUsage, input: sample, output: 0, cacheRead },
            parts: [],
            tools: {},
            at: query.range.end.getTime(),
            serviceTier: null,
            terms: {},
            credential: null,
          });
    const [without, with_] = [priceOf(0), priceOf(sample)];
    if (!without || !with_) return [];
    return [((amountOf(without.usd) - amountOf(with_.usd)) * BigInt(tokens)) / BigInt(sample)];
  });
  return saved.length === 0 ? null : toDecimal(saved.reduce((sum, each) => sum + each, 0n));
}
