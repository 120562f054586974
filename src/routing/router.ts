import { createModels } from '../config/models.ts';
import type { OptimizeFor, RoutingPolicy } from '../config/policy/routing.ts';
import type { Config } from '../config/schema.ts';
import type { Conversation } from '../dialects/conversation.ts';
import type { Pricer } from '../usage/price.ts';
import { amountOf } from '../usage/prices/decimal.ts';
import { type Call, candidateOf, placeOf, type Surroundings } from './candidates.ts';
import { type CannotCarry, dialectOf, type Foreign } from './carry.ts';
import { baselineOf, type Choice, choose, type Kept, keepReason } from './choose.ts';
import { baseComplexity, type Complexity, complexTokens, keywordIn, scoredComplexity } from './complexity.ts';
import type { Paces } from './paces.ts';
import { profileNames, profileTable } from './profiles.ts';
import type { Explanation, Scorer } from './scorer.ts';
import { hasWords, type Tokens } from './tokens.ts';

/** How hard a call is, and by what. */
export interface Assessment {
  complexity: Complexity;
  /** Of the trained scorer; null: it was not asked. */
  score: number | null;
}

/** What a call for `auto` may say. */
export interface Wishes {
  optimizeFor: OptimizeFor | null;
  maxLatencyMs: number | null;
  providers: readonly string[] | null;
}

export interface RouteRequest {
  policy: RoutingPolicy;
  dialect: string;
  /** The provider that the call came for. */
  provider: string;
  /** The model that it named; null: it leaves the choice to weir. */
  model: string | null;
  /** What the call is compared with: the model that it names, by its name at the provider; null: the profile's. */
  comparedWith: string | null;
  /** In place of the policy's. */
  profile: string | null;
  stream: boolean;
  textChars: number;
  maxOutputTokens: number | null;
  conversation: Conversation;
  complexity: Complexity;
  wishes: Wishes;
  kept: Kept | null;
  /** Why the caller may not call this model at this provider; null: it may. */
  forbidden(provider: string, model: string): string | null;
  hasKey(provider: string): boolean;
  /** The organization whose keys pay; null: the caller's own does. */
  payer: string | null;
  cannotCarry: CannotCarry;
}

export interface Place {
  provider: string;
  model: string;
}

export type Decision = {
  profile: string;
  optimizeFor: OptimizeFor;
  choice: Choice;
  /** For people. */
  reason: string;
  /** What it would have gone to without weir; null: not known. */
  baseline: Place | null;
} & (
  | { kind: 'go'; to: Place }
  /** The call names a model, and stays with it. */
  | { kind: 'keep' }
  | { kind: 'refuse'; code: 'no_model_able' | 'unknown_profile'; message: string }
);

export interface Router {
  assess(conversation: Conversation, policy: RoutingPolicy): Assessment;
  /** The models of a profile that are spoken to in another dialect. */
  foreign(call: Pick<RouteRequest, 'policy' | 'profile' | 'dialect'>): Foreign[];
  decide(request: RouteRequest): Decision;
  explain(
    conversation: Conversation,
  ): Explanation & { tokens: number; tokensAreExact: boolean; keyword: string | null };
}

/** English prose has about four and a half characters a token, code and other languages fewer. */
const charsPerToken = 4;

export function createRouter(options: {
  providers: Config['providers'];
  models: Config['models'];
  pricer: Pricer;
  paces: Paces;
  tokens: Tokens;
  scorer: Scorer;
  now: () => number;
}): Router {
  const { providers, models, pricer, paces, tokens, scorer, now } = options;
  const configured = createModels(models);
  const price: Surroundings['price'] = (provider, model, usage) => {
    const base = providers[provider]?.base_url;
    if (base === undefined) return null;
    const query = { provider, baseUrl: base, usage, parts: [], tools: {}, at: now() };
    const ask = (name: string) =>
      pricer({ ...query, model: name, serviceTier: null, terms: {}, credential: null });
    const found = ask(model) ?? ask(configured(model)?.model ?? model);
    return found && { usd: Number(amountOf(found.usd)) / 1e18, contextWindow: found.contextWindow };
  };
  const dialectThere = (provider: string, model: string, dialect: string) => {
    const api = providers[provider]?.api;
    return api ? dialectOf({ provider, api, model: configured(model) }, dialect) : dialect;
  };

  return {
    assess(conversation, policy) {
      if (policy.scorer === 'learned') {
        const score = scorer.score(conversation);
        return { complexity: scoredComplexity(score, policy.thresholds), score };
      }
      return { complexity: rulesComplexity(conversation, tokens), score: null };
    },

    foreign({ policy, profile, dialect }) {
      const table = profileTable(profile ?? policy.profile, policy);
      const rows = Object.values(table ?? {}).flatMap((row) => Object.values(row).flat());
      return [...new Set(rows)].flatMap((entry) => {
        const { provider, model } = placeOf(entry, { providers, models });
        const there = provider === null ? dialect : dialectThere(provider, model, dialect);
        return provider === null || there === dialect ? [] : [{ provider, model, dialect: there }];
      });
    },

    decide(request) {
      const { policy, conversation, complexity, wishes } = request;
      const profile = request.profile ?? policy.profile;
      const optimizeFor = wishes.optimizeFor ?? policy.optimize_for;
      const table = profileTable(profile, policy);
      const around: Surroundings = {
        providers,
        models,
        price,
        cannotCarry(provider, model) {
          const dialect = dialectThere(provider, model, request.dialect);
          return dialect === request.dialect ? null : request.cannotCarry({ provider, model, dialect });
        },
        forbidden: request.forbidden,
        hasKey: request.hasKey,
        pace: paces.of,
        ailing: (provider, model) => paces.ailing(provider, model, request.payer),
      };
      const asked = request.model === null ? null : { provider: request.provider, model: request.model };
      if (!table) {
        const message = `There is no routing profile ${profile}: use one of ${profileNames(policy).join(', ')}.`;
        const choice = { chosen: null, reason: message, candidates: [], stay: null };
        const decided = { profile, optimizeFor, choice, reason: message, baseline: asked };
        return asked
          ? { ...decided, kind: 'keep' }
          : { ...decided, kind: 'refuse', code: 'unknown_profile', message };
      }
      const call: Call = {
        dialect: request.dialect,
        stream: request.stream,
        conversation,
        inputTokens: Math.ceil(request.textChars / charsPerToken),
        maxOutputTokens: request.maxOutputTokens,
        maxLatencyMs: wishes.maxLatencyMs,
        providers: narrowed(policy.providers, wishes.providers),
      };
      const own =
        asked &&
        candidateOf(
          `${asked.provider}/${asked.model}`,
          { ...call, providers: null, maxLatencyMs: null },
          around,
        );
      const by = { table, complexity, optimizeFor, kept: request.kept, asked: own };
      const choice = choose(call, by, around);
      const usual = baselineOf(table, policy.baseline_model, around);
      const usualPlace = usual.provider === null ? null : { provider: usual.provider, model: usual.model };
      const compared =
        request.comparedWith === null ? null : { provider: request.provider, model: request.comparedWith };
      const baseline = compared ?? asked ?? usualPlace;
      const decided = { profile, optimizeFor, choice, reason: choice.reason, baseline };
      if (own) {
        const reason = keepReason(call, own, choice, optimizeFor);
        if (reason !== null) return { ...decided, kind: 'keep', reason };
      }
      const { chosen } = choice;
      if (chosen?.provider)
        return { ...decided, kind: 'go', to: { provider: chosen.provider, model: chosen.model } };
      return { ...decided, kind: 'refuse', code: 'no_model_able', message: refusalOf(profile, choice) };
    },

    explain(conversation) {
      const counted = tokens.upTo(conversation.texts, complexTokens);
      return {
        ...scorer.explain(conversation),
        tokens: counted,
        tokensAreExact: counted < complexTokens,
        keyword: keywordIn(conversation.texts),
      };
    },
  };
}

/** Counts tokens only where the rules turn on them: a text has at most as many tokens as bytes. */
function rulesComplexity({ texts, chars }: Conversation, tokens: Tokens): Complexity {
  const isShort =
    chars < complexTokens && texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) < complexTokens;
  if (isShort && keywordIn(texts) === null) return 'medium';
  if (hasWords(texts, complexTokens)) return 'complex';
  return baseComplexity(tokens.upTo(texts, complexTokens), texts);
}

function narrowed(a: readonly string[] | undefined, b: readonly string[] | null): readonly string[] | null {
  if (!a) return b;
  return b ? a.filter((each) => b.includes(each)) : a;
}

/** Names each model, and why it cannot take the call. */
function refusalOf(profile: string, { candidates }: Choice): string {
  const each = candidates.map(({ model, whyNot }) => `${model}: ${whyNot.join('; ')}`).join('. ');
  return `No model of the routing profile ${profile} can take this call. ${each}.`;
}
