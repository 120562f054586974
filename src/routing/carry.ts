import type { ModelConfig } from '../config/models.ts';
import type { ProviderConfig } from '../config/schema.ts';

type Api = ProviderConfig['api'];

/** A model that is spoken to in another dialect than the call's. */
export interface Foreign {
  provider: string;
  model: string;
  dialect: string;
}

/** Why the call cannot be carried there, and its answer back; null: it can. */
export type CannotCarry = (foreign: Foreign) => string | null;

/** The dialects of chat that a family of providers speaks by itself, the one to translate to first. */
const spoken: Record<Api, readonly [string, ...string[]]> = {
  openai: ['openai-chat', 'openai-responses'],
  anthropic: ['anthropic-messages'],
  gemini: ['gemini-generate'],
  bedrock: ['bedrock-converse'],
  cohere: ['cohere-chat'],
};

/** The dialect in which a provider of this family would get a call. */
export function dialectAt(api: Api, dialect: string): string {
  return spoken[api].includes(dialect) ? dialect : spoken[api][0];
}

/** The dialect in which a model would get a call; what the config says of the model at another provider does not count. */
export function dialectOf(
  { provider, api, model }: { provider: string; api: Api; model: ModelConfig | null },
  dialect: string,
): string {
  const holds = model?.provider === undefined || model.provider === provider;
  return (holds ? model?.dialect : undefined) ?? dialectAt(api, dialect);
}
