import type { ModelConfig } from '../config/models.ts';
import type { RequestFacts } from '../dialects/dialect.ts';
import { type Envelope, envelopeOf } from '../dialects/envelope.ts';
import type { Refusal } from '../dialects/errors.ts';
import { neutralName, spokenDialects, spokenName } from '../dialects/neutral-registry.ts';
import { dialectByName } from '../dialects/registry.ts';
import { queryOf } from '../dialects/target.ts';
import { dialectOf } from '../routing/carry.ts';
import type { Place } from '../routing/router.ts';
import type { TranslationTarget } from '../translate/translate.ts';
import { providerRefusal } from './allowed.ts';
import { type Arrival, keyMissing } from './arrival.ts';
import type { Headers, RequestHead } from './messages.ts';
import { asksUsage } from './outgoing.ts';
import { readdress } from './redirect.ts';
import type { Services } from './services.ts';

/** Who serves a call, by the model that it asks for. */
export type Serving = { kind: 'served'; served: Served } | { kind: 'refused'; refusal: Refusal };

export interface Served {
  /** The call as it goes to that provider, in the dialect that is spoken there. */
  arrival: Arrival;
  /** With a hash that tells apart who answered, and in which dialect. */
  facts: RequestFacts;
  /** The model's name there. */
  model: string | null;
  /** The same, where the body names another. */
  rename: string | null;
  /** Set where the provider speaks another dialect than the caller. */
  translation: TranslationTarget | null;
  /** Set where a cloud wants it in a form of its own. */
  envelope: Envelope | null;
}

type Unwrapped = Omit<Served, 'envelope'>;

export interface Asking {
  head: RequestHead;
  arrival: Arrival;
  facts: RequestFacts;
  /** Where routing gives it; null: it goes where the config says. */
  place: Place | null;
}

/** A path that names its provider keeps it, and so does a foreign credential. */
export function keepsProvider({ head, arrival }: Pick<Asking, 'head' | 'arrival'>): boolean {
  return head.path.startsWith('/providers/') || !arrival.putsKeyIn;
}

/** Asks the config for the model. */
export function serve(call: Asking, { providers, models }: Pick<Services, 'providers' | 'models'>): Serving {
  const { head, arrival, facts, place } = call;
  const model = models(place?.model ?? facts.model);
  const named = place?.provider ?? model?.provider ?? arrival.target.provider;
  const provider = providers[named];
  const moves = named !== arrival.target.provider;
  const keeps = !place && moves && keepsProvider(call);
  if ((!model && !place) || !provider || keeps || facts.model === null)
    return allowed(head, { arrival, facts, model: facts.model, rename: null, translation: null });
  const holds = model && (model.provider === undefined || model.provider === named);
  const served = servedBy(call, { name: named, provider, model: holds ? model : {} });
  return served ? allowed(head, served) : untranslatable(arrival, named);
}

/** Puts it into the form that its provider wants it in. */
function enveloped(head: RequestHead, served: Unwrapped): Served {
  const { arrival, model, facts } = served;
  const { dialect, provider, target } = arrival;
  const isMessages = dialect?.name === 'anthropic-messages' && target.endpoint === '/messages';
  const envelope = isMessages && model !== null ? envelopeOf(provider) : null;
  if (!envelope || model === null) return { ...served, envelope: null };
  const endpoint = envelope.endpoint(model, facts.stream);
  const moved = readdress(arrival, head, { name: target.provider, provider, endpoint, dialect });
  return { ...served, arrival: moved, rename: null, envelope };
}

/** The provider may be called, and there is a key for it. */
export function allowed(head: RequestHead, unwrapped: Unwrapped): Serving {
  const served = enveloped(head, unwrapped);
  const { access, target, putsKeyIn, credential } = served.arrival;
  const missing = putsKeyIn && credential === null ? keyMissing(target.provider) : null;
  const refusal = providerRefusal(access, target.provider) ?? missing;
  return refusal ? { kind: 'refused', refusal } : { kind: 'served', served };
}

export function untranslatable({ dialect }: Arrival, provider: string): Serving & { kind: 'refused' } {
  const message = `A ${dialect?.name} request cannot be translated for ${provider}, which serves this model: only chats are, of OpenAI, Anthropic and Gemini, and not with Cohere.`;
  return { kind: 'refused', refusal: { code: 'not_translatable', message } };
}

interface Server {
  name: string;
  provider: Arrival['provider'];
  model: Omit<ModelConfig, 'deployments' | 'fallback'>;
}

/** null: what the provider speaks cannot be translated to. */
export function servedBy(
  { head, arrival, facts, place }: Asking,
  { name, provider, model }: Server,
): Unwrapped | null {
  const asking = arrival.dialect?.name ?? '';
  const asked = facts.model ?? '';
  const there = model.model ?? place?.model ?? asked;
  const same = name === arrival.target.provider;
  const speaks = dialectOf({ provider: name, api: provider.api, model }, asking);
  const wanted = same && !model.dialect ? asking : speaks;
  const from = neutralName(asking);
  if (wanted === asking || (!from && provider.api === arrival.provider.api)) {
    if (same && there === asked) return { arrival, facts, model: there, rename: null, translation: null };
    const endpoint = endpointOf(arrival, asked, there);
    const moved = readdress(arrival, head, { name, provider, endpoint, dialect: arrival.dialect });
    const isInPath = arrival.target.endpoint !== moved.target.endpoint;
    const rename = there === asked || isInPath ? null : there;
    // What routing chose is the call's own by now.
    const hash = place && rename === null ? facts.hash : `${facts.hash} ${there}`;
    return { arrival: moved, facts: { ...facts, hash }, model: there, rename, translation: null };
  }
  const to = spokenName(wanted);
  if (!from || !to) return null;
  const endpoint = spokenDialects[to].endpoint(there, facts.stream).replace(/^\/v\d+[a-z0-9]*(?=\/)/, '');
  return {
    arrival: readdress(arrival, head, { name, provider, endpoint, dialect: dialectByName(to) }),
    facts: { ...facts, hash: `${facts.hash} ${asking} ${there}`, hidesUsage: false },
    model: there,
    rename: null,
    translation: {
      dialect: to,
      model: there,
      askUsage: asksUsage(provider),
      maxTokens: model.max_output_tokens ?? null,
      leaveOut: [...(model.leave_out ?? []), ...leftOutBy(head.headers)],
    },
  };
}

/** `x-weir-leave-out: caching, thinking`. */
export function leftOutBy(headers: Headers): string[] {
  return (headers.get('x-weir-leave-out') ?? '').split(',').map((each) => each.trim().toLowerCase());
}

/** The endpoint that was called, with its query; Google's has the model in it. */
function endpointOf({ target }: Arrival, asked: string, there: string): string {
  const named = (model: string) => `/models/${encodeURIComponent(model)}:`;
  return target.endpoint.replace(named(asked), () => named(there)) + queryOf(target.path);
}
