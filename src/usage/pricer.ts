import { LRUCache } from 'lru-cache';
import type { Price, PriceQuery, Pricer } from './price.ts';
import { costOf, toolCostOf } from './prices/cost.ts';
import { type Amount, times, toDecimal } from './prices/decimal.ts';
import { factorsOf, isBatch } from './prices/factors.ts';
import { findModel, findProvider, hasVariant, pricesAt } from './prices/find.ts';
import { noOverrides, type PriceOverrides } from './prices/overrides.ts';
import { type ModelPrices, readPriceTable } from './prices/table.ts';

/** How many pairs of provider and model are remembered. */
const remembered = 5_000;

interface Listed {
  provider: string;
  model: ModelPrices;
}

/** Prices by the table of this release and by what the config says of them. Reading takes some ten milliseconds. */
export function createPricer(overrides: PriceOverrides = noOverrides): Pricer {
  const table = readPriceTable();
  const found = new LRUCache<string, Listed | false>({ max: remembered });

  function find({ provider, baseUrl, model }: PriceQuery): Listed | false {
    const key = JSON.stringify([provider, baseUrl, model]);
    const known = found.get(key);
    if (known !== undefined) return known;
    const own = overrides.model(provider, model);
    const seller = findProvider(table, provider, baseUrl);
    const listed = own ?? (seller && findModel(table, seller, overrides.nameThere(model)));
    const result = listed ? { provider: own ? 'config' : (seller?.id ?? ''), model: listed } : false;
    found.set(key, result);
    return result;
  }

  /** Of tokens at one model's price, all factors in it. */
  function price(query: PriceQuery): { amount: Amount; listed: Listed; factors: string[] } | null {
    const listed = find(query);
    if (!listed) return null;
    const kind = {
      ...query.terms,
      ...(query.serviceTier !== null && { service_tier: query.serviceTier }),
      ...(isBatch(query) && { processing: 'batch' }),
    };
    const list = costOf(query.usage, pricesAt(listed.model, query.at, kind), table.units);
    if (list === null) return null;
    const batchListed = hasVariant(listed.model, { processing: 'batch' });
    const factors = [...factorsOf(listed.provider, query, batchListed), ...overrides.factors(query)];
    return {
      amount: factors.reduce((sum, { factor }) => times(sum, factor), list),
      listed,
      factors: factors.map(({ name, factor }) => `${name} ${factor}`),
    };
  }

  return (query): Price | null => {
    const parts = query.parts.length > 0 ? query.parts : [{ model: null, usage: query.usage }];
    const prices = parts.map(({ model, usage }) => price({ ...query, model: model ?? query.model, usage }));
    const known = prices.filter((each) => each !== null);
    const [first] = known;
    if (!first || known.length < parts.length) return null;
    const unique = (texts: string[]) => [...new Set(texts)];
    const factors = unique(known.flatMap((each) => each.factors));
    const tools =
      Object.keys(query.tools).length === 0
        ? null
        : toolCostOf(query.tools, pricesAt(first.listed.model, query.at, {}), table.units);
    return {
      usd: toDecimal(known.reduce((sum, { amount }) => sum + amount, 0n)),
      toolUsd: tools === null ? null : toDecimal(tools),
      model: unique(known.map(({ listed }) => `${listed.provider}:${listed.model.id}`)).join('+'),
      version: first.listed.provider === 'config' ? 'config' : table.version,
      factors: factors.length > 0 ? factors.join(', ') : null,
      contextWindow: first.listed.model.context_window ?? null,
    };
  };
}
