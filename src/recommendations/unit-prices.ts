import type { Pricer } from '../usage/price.ts';
import { amountOf, toDecimal } from '../usage/prices/decimal.ts';
import { noUsage, type TokenUsage } from '../usage/record.ts';

/** USD a token, decimal. */
export interface UnitPrices {
  input: string;
  output: string;
  cacheRead: string;
  cacheWrite: string;
}

/** Below the point from which long prompts have other prices. */
const sample = 1_000;
/** From here on they may. */
export const longPrompt = 100_000;

/** What tokens of a model cost a piece, for prompts of a usual length; null: it has no price. */
export function unitPrices(
  pricer: Pricer,
  at: { provider: string; baseUrl: string; model: string; at: number; serviceTier?: string },
): UnitPrices | null {
  const priceOf = (usage: Partial<TokenUsage>) => {
    const query = { serviceTier: null, ...at, parts: [], tools: {}, terms: {}, credential: null };
    const price = pricer({ ...query, usage: { ...noUsage, input: 0, output: 0, ...usage } });
    return price && amountOf(price.usd) / BigInt(sample);
  };
  const input = priceOf({ input: sample });
  const output = priceOf({ output: sample });
  if (input === null || output === null) return null;
  const cacheRead = priceOf({ input: sample, cacheRead: sample }) ?? input;
  const cacheWrite = priceOf({ input: sample, cacheWrite: sample }) ?? input;
  return {
    input: toDecimal(input),
    output: toDecimal(output),
    cacheRead: toDecimal(cacheRead),
    cacheWrite: toDecimal(cacheWrite),
  };
}
