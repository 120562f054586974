import { LRUCache } from 'lru-cache';
import type { Pricer } from './price.ts';
import { costOf } from './prices/cost.ts';
import { findModel, findProvider, pricesAt } from './prices/find.ts';
import { type ModelPrices, readPriceTable } from './prices/table.ts';

/** How many pairs of provider and model are remembered. */
const remembered = 5_000;

/** Prices by the table of this release. Reading it takes some ten milliseconds. */
export function createPricer(): Pricer {
  const table = readPriceTable();
  const found = new LRUCache<string, { prices: ModelPrices; name: string } | false>({ max: remembered });

  function find(
    provider: string,
    baseUrl: string,
    model: string,
  ): { prices: ModelPrices; name: string } | false {
    const key = JSON.stringify([provider, baseUrl, model]);
    const known = found.get(key);
    if (known !== undefined) return known;
    const seller = findProvider(table, provider, baseUrl);
    const prices = seller && findModel(table, seller, model);
    const result = prices ? { prices, name: `${seller.id}:${prices.id}` } : false;
    found.set(key, result);
    return result;
  }

  return ({ provider, baseUrl, model, usage, at, serviceTier }) => {
    const match = find(provider, baseUrl, model);
    if (!match) return null;
    const prices = pricesAt(match.prices, at, serviceTier === null ? {} : { service_tier: serviceTier });
    const usd = costOf(usage, prices, table.units);
    return usd === null ? null : { usd, model: match.name, version: table.version };
  };
}
