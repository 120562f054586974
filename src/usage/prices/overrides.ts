import type { Config } from '../../config/schema.ts';
import type { PriceQuery } from '../price.ts';
import type { Factor } from './factors.ts';
import type { ModelPrices } from './table.ts';

/** What the config says of prices. */
export interface PriceOverrides {
  /** Prices in place of the table's. */
  model(provider: string, model: string): ModelPrices | undefined;
  /** Agreements: the list price times a factor. */
  factors(query: PriceQuery): Factor[];
}

export const noOverrides: PriceOverrides = { model: () => undefined, factors: () => [] };

type Models = Config['models'];
type Agreements = Config['price_agreements'];

/** `fingerprint` names a credential as the ledger does. */
export function createOverrides(
  models: Models,
  agreements: Agreements,
  fingerprint: (credential: string) => string,
): PriceOverrides {
  const priced = Object.entries(models).flatMap(([id, { provider, price, context_window }]) => {
    if (!price) return [];
    const model: ModelPrices = {
      id,
      match: { equals: id },
      prices: price,
      ...(context_window !== undefined && { context_window }),
    };
    return [{ provider, id: id.toLowerCase(), model }];
  });
  const rules = agreements.map(({ credential, ...rule }) => ({
    ...rule,
    credential: credential === undefined ? undefined : fingerprint(credential),
    factor: percent(rule.percent),
  }));
  return {
    model: (provider, model) =>
      priced.find((each) => each.id === model.toLowerCase() && (each.provider ?? provider) === provider)
        ?.model,
    factors: (query) =>
      rules.filter((rule) => holds(rule, query)).map(({ name, factor }) => ({ name, factor })),
  };
}

function holds(
  rule: Omit<Agreements[number], 'percent' | 'name'>,
  { provider, model, at, credential }: PriceQuery,
): boolean {
  const day = new Date(at).toISOString().slice(0, 10);
  return (
    (rule.provider === undefined || rule.provider === provider) &&
    (rule.model === undefined || rule.model === model) &&
    (rule.credential === undefined || rule.credential === credential) &&
    (rule.from === undefined || day >= rule.from) &&
    (rule.until === undefined || day < rule.until)
  );
}

/** `-12.5` percent is the factor 0.875. */
function percent(value: number): string {
  return ((100 + value) / 100).toFixed(12).replace(/\.?0+$/, '');
}
