import { optimizations } from '../config/policy/routing.ts';
import type { RequestFacts } from '../dialects/dialect.ts';
import type { Refusal } from '../dialects/errors.ts';
import type { JsonObject } from '../dialects/json.ts';
import { purposeTag } from '../identity/own-calls.ts';
import type { RoutedCall } from '../proof/replay.ts';
import { chatEndpoints } from '../routing/chat-endpoints.ts';
import { type Conversations, minCachedTokens } from '../routing/conversations.ts';
import type { Paces } from '../routing/paces.ts';
import type { Assessment, Decision, Place, Router, Wishes } from '../routing/router.ts';
import { modelRefusal, providerRefusal } from './allowed.ts';
import type { Arrival } from './arrival.ts';
import { carriage } from './carriage.ts';
import type { RequestHead } from './messages.ts';
import type { Reader } from './reader.ts';
import { keepsProvider } from './serve.ts';
import type { Services } from './services.ts';

/** What a processor routes by. */
export interface Routing {
  router: Router;
  paces: Paces;
  conversations: Conversations;
  /** Takes a routed call to be sent to the model asked for as well. */
  replay(call: RoutedCall): void;
  /** From 0 up to 1. */
  random(): number;
}

/** What is decided of a chat. `decision` is null where it is not routed: `mode` is off then. */
export interface Plan {
  mode: 'off' | 'shadow' | 'on';
  assessment: Assessment;
  decision: Decision | null;
  /** The call leaves the choice to weir. */
  isOpen: boolean;
  /** Members of its request that are for weir alone, and go to nobody. */
  own: string[];
  refusal: Refusal | null;
}

export type Asked = { head: RequestHead; arrival: Arrival; facts: RequestFacts; bytes: Buffer };

/** By OpenTelemetry's names, Google's chat is an operation of its own. */
const chats = ['chat', 'generate_content'];

/** Decides and changes nothing; null: it is no chat, or a call of weir's own. */
export async function planCall(
  call: Asked,
  services: Pick<Services, 'routing' | 'models'> & { reader: Pick<Reader, 'judge'> },
): Promise<Plan | null> {
  const { head, arrival, facts } = call;
  const { routing } = services;
  const { conversation } = facts;
  if (
    !routing ||
    !conversation ||
    !arrival.dialect ||
    !chats.includes(arrival.dialect.operation) ||
    arrival.caller.tags[purposeTag] !== undefined
  )
    return null;
  const dialect = arrival.dialect.name;
  const policy = arrival.policy.routing;
  const assessment = routing.router.assess(conversation, policy);
  const profile = /^weir\/([a-z0-9][a-z0-9-]*)$/.exec(facts.model ?? '')?.[1] ?? null;
  const isAuto = profile !== null || facts.model === null || facts.model === 'auto';
  const isOpen = arrival.smart || (isAuto && facts.model !== null);
  const mode = isOpen ? 'on' : modeOf(head, arrival);
  const own = isOpen ? Object.keys(conversation.wishes ?? {}) : [];
  const plan = { mode, assessment, isOpen, own, decision: null, refusal: null };
  if (mode === 'off' || !chatEndpoints[dialect] || arrival.target.endpoint.includes('/deployments/'))
    return { ...plan, mode: 'off' };
  const wishes = isOpen ? readWishes(conversation.wishes) : noWishes;
  if ('code' in wishes) return { ...plan, refusal: wishes };
  const optimizeFor = wishes.optimizeFor ?? policy.optimize_for;
  // In shadow no conversation has been moved.
  const kept =
    mode === 'on' && optimizeFor === 'cost' && conversation.turns > 1 && mayBeCached(facts)
      ? await routing.conversations.find(arrival.caller.organization, conversation.opening)
      : null;
  const forbidden = (name: string, model: string) =>
    (providerRefusal(arrival.access, name) ?? modelRefusal(arrival, model))?.message ?? null;
  const hasKey = (name: string) =>
    arrival.putsKeyIn ? arrival.access.providerKey(name) !== null : name === arrival.target.provider;
  const foreign = routing.router
    .foreign({ policy, profile, dialect })
    .filter(({ provider, model }) => hasKey(provider) && forbidden(provider, model) === null);
  const asked = askedAt(call, services.models);
  const decision = routing.router.decide({
    policy,
    dialect,
    provider: asked.provider,
    model: isOpen ? null : facts.model,
    comparedWith: isAuto ? null : asked.model,
    profile,
    stream: facts.stream,
    textChars: facts.textChars,
    maxOutputTokens: facts.maxOutputTokens,
    conversation,
    complexity: assessment.complexity,
    wishes,
    kept,
    payer: arrival.putsKeyIn ? arrival.caller.organization : null,
    forbidden,
    hasKey,
    cannotCarry: await carriage(call, own, foreign, services),
  });
  const isRefused = decision.kind === 'refuse' && mode === 'on';
  return {
    ...plan,
    decision,
    refusal: isRefused ? { code: decision.code, message: decision.message } : null,
  };
}

/** Where a call would go by itself: what the config says of its model counts, as far as `serve` lets it. */
function askedAt(call: Asked, models: Services['models']): Place {
  const { arrival, facts } = call;
  const { provider } = arrival.target;
  const model = models(facts.model);
  const moves = model?.provider !== undefined && model.provider !== provider;
  const name = facts.model ?? '';
  return moves && keepsProvider(call)
    ? { provider, model: name }
    : { provider: model?.provider ?? provider, model: model?.model ?? name };
}

/** No provider keeps a shorter prompt; its tools belong to it, and are not among its text. Else nobody asks Redis. */
function mayBeCached({ textChars, conversation }: RequestFacts): boolean {
  return textChars >= minCachedTokens || conversation?.needs.tools === true;
}

function modeOf(head: RequestHead, { policy }: Arrival): 'off' | 'shadow' | 'on' {
  const isOff = head.headers.get('x-weir-routing')?.trim().toLowerCase() === 'off';
  return isOff ? 'off' : policy.routing.mode;
}

const noWishes: Wishes = { optimizeFor: null, maxLatencyMs: null, providers: null };

/** What a call for `auto` says beside the chat; a refusal where it makes no sense. */
function readWishes(given: JsonObject | null): Wishes | Refusal {
  if (!given) return { ...noWishes };
  const { optimize_for = null, max_latency_ms = null, providers = null } = given;
  const optimizeFor = optimizations.find((each) => each === optimize_for) ?? null;
  const wrong = (message: string): Refusal => ({ code: 'invalid_routing', message });
  if (optimize_for !== null && !optimizeFor)
    return wrong(`optimize_for: expected one of ${optimizations.join(', ')}.`);
  const isTime = typeof max_latency_ms === 'number' && max_latency_ms > 0;
  if (max_latency_ms !== null && !isTime)
    return wrong('max_latency_ms: expected a number of milliseconds above 0.');
  const isList =
    Array.isArray(providers) && providers.length > 0 && providers.every((each) => typeof each === 'string');
  if (providers !== null && !isList) return wrong('providers: expected a list of names of providers.');
  return {
    optimizeFor,
    maxLatencyMs: isTime ? max_latency_ms : null,
    providers: isList ? providers.map(String) : null,
  };
}
