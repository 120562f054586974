import type { Config } from '../../config/schema.ts';
import type { PriceQuery } from '../price.ts';
import type { Factor } from './factors.ts';
import type { ModelPrices } from './table.ts';

/** What the config says of prices. */
export interface PriceOverrides {
  /** Prices in place of the table's. */
  model(provider: string, model: string): ModelPrices | undefined;
  /** The name that a provider has for a model that is asked for by another. */
  nameThere(model: string): string;
  /** Agreements: the list price times a factor. */
  factors(query: PriceQuery): Factor[];
}

export const noOverrides: PriceOverrides = {
  model: () => undefined,
  nameThere: (model) => model,
  factors: () => [],
};

type Models = Config['models'];
type Agreements = Config['price_agreements'];

/** `fingerprint` names a credential as the ledger does. */
export function createOverrides(
  models: Models,
  agreements: Agreements,
  fingerprint: (credential: string) => string,
): PriceOverrides {
  const priced = Object.entries(models).flatMap(([id, { provider, model: there, price, context_window }]) => {
    if (!price) return [];
    const model: ModelPrices = {
      id,
      match: { equals: id },
      prices: price,
      ...(context_window !== undefined && { context_window }),
    };
    return [{ provider, names: [id, there ?? id].map((name) => name.toLowerCase()), model }];
  });
  const rules = agreements.map(({ credential, ...rule }) => ({
    ...rule,
    credential: credential === undefined ? undefined : fingerprint(credential),
    factor: percent(rule.percent),
  }));
  return {
    model: (provider, model) =>
      priced.find(
        (each) => each.names.some((name) => isNamed(model, name)) && (each.provider ?? provider) === provider,
      )?.model,
    nameThere: (model) => models[model]?.model ?? model,
    factors: (query) =>
      rules.filter((rule) => holds(rule, query)).map(({ name, factor }) => ({ name, factor })),
  };
}

/** `claude-*` is a name of all that begin so. */
function isNamed(model: string, name: string): boolean {
  const lower = model.toLowerCase();
  return name.endsWith('*') ? lower.startsWith(name.slice(0, -1)) : lower === name;
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
