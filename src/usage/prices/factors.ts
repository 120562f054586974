import type { PriceQuery } from '../price.ts';

/** A named reason why the list price is multiplied. */
export interface Factor {
  name: string;
  factor: string;
}

interface Rule extends Factor {
  /** Of the price table. */
  provider: string;
  applies(query: PriceQuery): boolean;
}

const regionalHost = /^https:\/\/(us|eu|au|ca|jp|in|sg|kr|ae|gb)\.api\.openai\.com/;
/** Of gpt-5.4 and what came after it. */
const regionalModel = /^gpt-(5\.([4-9]|\d\d)|[6-9]|\d\d)/;

/**
 * Uplifts that the price table does not have.
 * - Anthropic: inference within the US alone costs 1.1 times as much, all kinds of tokens
 *   (platform.claude.com, "Data residency").
 * - OpenAI: processing in a region costs 10 % more for gpt-5.4 and later. Not checked against its price page.
 */
const rules: readonly Rule[] = [
  {
    provider: 'anthropic',
    name: 'inference_geo',
    factor: '1.1',
    applies: ({ terms }) => terms.inference_geo === 'us',
  },
  {
    provider: 'openai',
    name: 'region',
    factor: '1.1',
    applies: ({ baseUrl, model }) => regionalHost.test(baseUrl) && regionalModel.test(model),
  },
];

/** Half price in a batch, where the table has no prices of its own for it: so do all three say on their price pages. */
const batch: Factor = { name: 'batch', factor: '0.5' };
const halved = ['anthropic', 'openai', 'google'];

/** What the list price of a call is multiplied by. */
export function factorsOf(provider: string, query: PriceQuery, hasBatchPrices: boolean): Factor[] {
  const found: Factor[] = rules.filter((rule) => rule.provider === provider && rule.applies(query));
  return isBatch(query) && !hasBatchPrices && halved.includes(provider) ? [...found, batch] : found;
}

export function isBatch({ serviceTier }: Pick<PriceQuery, 'serviceTier'>): boolean {
  return serviceTier === 'batch';
}
