import type { Config } from './schema.ts';

/** What the config says of a model. */
export type ModelConfig = Config['models'][string];

export type FindModel = (name: string | null) => ModelConfig | null;

/** Finds what the config says of a model: by its name, else by the longest beginning that has a `*`. */
export function createModels(models: Config['models']): FindModel {
  const beginnings = Object.entries(models)
    .filter(([name]) => name.endsWith('*'))
    .map(([name, model]) => [name.slice(0, -1), model] as const)
    .sort(([a], [b]) => b.length - a.length);
  return (name) => {
    if (name === null) return null;
    if (Object.hasOwn(models, name)) return models[name] ?? null;
    return beginnings.find(([beginning]) => name.startsWith(beginning))?.[1] ?? null;
  };
}

type Deployment = Omit<NonNullable<ModelConfig['deployments']>[number], 'weight'>;

/** All who serve a model that several serve, those that calls are spread over first; empty: one does, or nobody is named. */
export function serversOf({ provider, deployments, fallback = [], ...model }: ModelConfig): Deployment[] {
  const first = deployments ?? (provider === undefined ? [] : [{ ...model, provider }]);
  const all = [...first, ...fallback];
  return all.length > 1 ? all : [];
}
