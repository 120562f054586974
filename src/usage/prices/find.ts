import {
  type Constraint,
  type ModelPrices,
  matches,
  type Prices,
  type PriceTable,
  type ProviderPrices,
} from './table.ts';

/** Who prices a provider: by the URL that is called, else by its name; undefined: nobody. */
export function findProvider(table: PriceTable, name: string, url: string): ProviderPrices | undefined {
  return (
    table.providers.find(({ api_pattern }) => new RegExp(`^(?:${api_pattern})`).test(url)) ??
    table.providers.find(({ id }) => id === name) ??
    table.providers.find(({ provider_match }) => provider_match && matches(provider_match, name))
  );
}

/** The prices of a model at a provider, or at those whose models it offers. */
export function findModel(
  table: PriceTable,
  provider: ProviderPrices,
  model: string,
): ModelPrices | undefined {
  const name = model.toLowerCase();
  // `gpt-5.2-20251211` is `gpt-5.2-2025-12-11` by another hand.
  const dashed = name.replace(/-(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?!\d)/, '-$1-$2-$3');
  const sellers = [provider.id, ...(provider.fallback_model_providers ?? [])].map((id) =>
    table.providers.find((each) => each.id === id),
  );
  for (const candidate of new Set([name, dashed])) {
    for (const seller of sellers) {
      const found = seller?.models.find(({ match }) => matches(match, candidate));
      if (found) return found;
    }
  }
  return undefined;
}

/** The prices in force at a time (epoch milliseconds), for calls of a kind (`{service_tier: 'flex'}`). */
export function pricesAt(model: ModelPrices, at: number, kind: Record<string, string>): Prices {
  const { prices, price_variants = [] } = model;
  const standard = Array.isArray(prices)
    ? (prices.findLast(({ constraint }) => holds(constraint, at)) ?? prices[0])?.prices
    : prices;
  const variants = price_variants.filter(
    ({ when, constraint }) =>
      holds(constraint, at) && Object.entries(when).every(([name, value]) => kind[name] === value),
  );
  if (standard && variants.length === 0) return standard;
  // The first variant that names a price counts.
  return Object.assign({}, standard, ...variants.map((variant) => variant.prices).reverse());
}

/** Whether a model has prices of its own for calls of a kind. */
export function hasVariant(model: ModelPrices, kind: Record<string, string>): boolean {
  return (model.price_variants ?? []).some(({ when }) =>
    Object.entries(kind).every(([name, value]) => when[name] === value),
  );
}

function holds(constraint: Constraint | undefined, at: number): boolean {
  if (!constraint) return true;
  const now = new Date(at).toISOString();
  if ('start_date' in constraint) return now.slice(0, 10) >= constraint.start_date;
  const time = now.slice(11, 19);
  const start = utcTime(constraint.start_time);
  const end = utcTime(constraint.end_time);
  return end < start ? time >= start || time < end : time >= start && time < end;
}

/** `18:30:00+02:00` → `16:30:00`. */
function utcTime(text: string): string {
  const zoned = /(Z|[+-]\d\d:\d\d)$/.test(text) ? text : `${text}Z`;
  return new Date(`1970-01-02T${zoned}`).toISOString().slice(11, 19);
}
