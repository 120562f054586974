import { type DialectName, dialectNames } from '../config/dialects.ts';
import type { Config, ProviderConfig } from '../config/schema.ts';

/** What the config says of a model. */
export type ModelConfig = Config['models'][string];

/** Finds what the config says of a model: by its name, else by the longest beginning that has a `*`. */
export function createModels(models: Config['models']): (name: string | null) => ModelConfig | null {
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

/** The dialect of a family that is spoken to answer one of another. */
const spoken: Partial<Record<ProviderConfig['api'], DialectName>> = {
  openai: 'openai-chat',
  anthropic: 'anthropic-messages',
  gemini: 'gemini-generate',
};

/** What is spoken to a provider to answer a call; null: none that weir can translate to. */
export function spokenTo(provider: ProviderConfig, model: ModelConfig, asking: string): DialectName | null {
  if (model.dialect) return model.dialect;
  const native = dialectNames.find((name) => name === asking);
  if (provider.api === 'openai' && native?.startsWith('openai-')) return native;
  return spoken[provider.api] ?? null;
}
