import type { ProviderConfig } from '../config/schema.ts';

type Api = ProviderConfig['api'];

/** Whether a call in one dialect can be carried to a provider in another, and its answer back. */
export type CanCarry = (from: string, to: string) => boolean;

/** Nothing is translated: a call goes to who speaks its own dialect. */
export const sameDialectOnly: CanCarry = (from, to) => from === to;

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
