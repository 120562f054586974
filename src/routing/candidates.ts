import type { Config, ProviderConfig } from '../config/schema.ts';
import type { Conversation, Needs } from '../dialects/conversation.ts';
import { familyProvider } from '../dialects/target.ts';
import { noUsage, type TokenUsage } from '../dialects/usage.ts';
import { modelFacts } from './models.ts';

/** What a model at a provider is known to take: milliseconds to the first token, and tokens a second. */
export interface Pace {
  firstMs: number;
  tokensPerSecond: number;
  /** Tokens of an answer. */
  outputTokens: number;
  /** Calls that it was measured on; 0: a guess by size. */
  calls: number;
}

/** What a choice is made by, beside the call itself. */
export interface Surroundings {
  providers: Record<string, Pick<ProviderConfig, 'api' | 'base_url'>>;
  models: Config['models'];
  /** Why the caller may not call this model at this provider; null: it may. */
  forbidden(provider: string, model: string): string | null;
  /** Whether a call to this provider would have a key. */
  hasKey(provider: string): boolean;
  /** USD, and the context window, where a price is listed. */
  price(
    provider: string,
    model: string,
    usage: TokenUsage,
  ): { usd: number; contextWindow: number | null } | null;
  pace(provider: string, model: string): Pace | null;
  /** Why the model is left alone for now; null: it is well. */
  ailing(provider: string, model: string): string | null;
  /** Why the call cannot be carried to this model in its dialect; null: it can. */
  cannotCarry(provider: string, model: string): string | null;
}

/** The call, as far as a choice needs it. */
export interface Call {
  dialect: string;
  stream: boolean;
  conversation: Conversation;
  /** Estimated. */
  inputTokens: number;
  maxOutputTokens: number | null;
  maxLatencyMs: number | null;
  /** null: any. */
  providers: readonly string[] | null;
}

export interface Candidate {
  model: string;
  /** null: nobody is known to have the model. */
  provider: string | null;
  /** Why it cannot take the call; empty: it can. */
  whyNot: string[];
  estimatedUsd: number | null;
  /** To the first token of a stream, to the end of a plain answer. */
  expectedMs: number;
  /** Calls that this was measured on; 0: a guess. */
  measuredOn: number;
}

/** Without a limit of its own an answer is taken to be so long, until its model is measured. */
const usualOutputTokens = 300;

const needNames: Record<keyof Needs, string> = {
  tools: 'tools',
  vision: 'images',
  audio: 'audio',
  files: 'files',
  jsonSchema: 'answers by a JSON schema',
  jsonMode: 'JSON mode',
  reasoning: 'reasoning',
  sampling: 'temperature, max_tokens and the like',
};

/** `groq/llama-3.1-8b-instant` names a provider of the config; else the config's `models`, else whose model it is. */
export function placeOf(entry: string, { providers, models }: Pick<Surroundings, 'providers' | 'models'>) {
  const slash = entry.indexOf('/');
  const named = entry.slice(0, Math.max(0, slash));
  if (Object.hasOwn(providers, named)) return { provider: named, model: entry.slice(slash + 1) };
  const { api } = modelFacts(entry);
  const all = providers as Parameters<typeof familyProvider>[0];
  return { provider: models[entry]?.provider ?? (api && familyProvider(all, api)) ?? null, model: entry };
}

/** All models are compared for an answer of one length. */
export function usualOutput({ maxOutputTokens }: Call): number {
  return Math.min(maxOutputTokens ?? usualOutputTokens, usualOutputTokens);
}

/** Looks at one model of a table. */
export function candidateOf(entry: string, call: Call, around: Surroundings): Candidate {
  const { provider, model } = placeOf(entry, around);
  const facts = modelFacts(model);
  const config = provider === null ? undefined : around.providers[provider];
  const pace = (provider !== null && around.pace(provider, model)) || {
    ...facts.prior,
    outputTokens: usualOutputTokens,
    calls: 0,
  };
  const output = Math.min(call.maxOutputTokens ?? Number.POSITIVE_INFINITY, pace.outputTokens);
  const expectedMs = Math.round(pace.firstMs + (call.stream ? 0 : (1000 * output) / pace.tokensPerSecond));
  const price =
    provider === null
      ? null
      : around.price(provider, model, { ...noUsage, input: call.inputTokens, output: usualOutput(call) });
  const window = around.models[entry]?.context_window ?? price?.contextWindow ?? null;
  const needed = call.inputTokens + (call.maxOutputTokens ?? 0);

  const whyNot: string[] = [];
  if (provider === null)
    whyNot.push('no provider is known for it: set models.<name>.provider, or write <provider>/<model>');
  else if (!config) whyNot.push(`there is no provider ${provider}`);
  else {
    const cannot = around.cannotCarry(provider, model);
    if (cannot !== null) whyNot.push(cannot);
    if (call.providers && !call.providers.includes(provider))
      whyNot.push(`the provider ${provider} is not allowed`);
    const forbidden = around.forbidden(provider, model);
    if (forbidden !== null) whyNot.push(forbidden);
    if (!around.hasKey(provider)) whyNot.push(`there is no key for ${provider}`);
    const ailing = around.ailing(provider, model);
    if (ailing !== null) whyNot.push(ailing);
  }
  for (const need of Object.keys(needNames) as (keyof Needs)[]) {
    if (call.conversation.needs[need] && facts.lacks.includes(need))
      whyNot.push(`it has no ${needNames[need]}`);
  }
  if (window !== null && needed > window)
    whyNot.push(`its context window has ${window} tokens, and the call needs about ${needed}`);
  if (call.maxLatencyMs !== null && expectedMs > call.maxLatencyMs)
    whyNot.push(`it is expected to take ${expectedMs} ms, more than ${call.maxLatencyMs}`);
  return { model, provider, whyNot, estimatedUsd: price?.usd ?? null, expectedMs, measuredOn: pace.calls };
}
