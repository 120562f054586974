import type { RequestFacts, StreamFilter } from '../dialects/dialect.ts';
import type { Refusal } from '../dialects/errors.ts';
import { neutralDialects, neutralName } from '../dialects/neutral-registry.ts';
import { dialectByName } from '../dialects/registry.ts';
import { type ReplyTranslator, replyTranslator } from '../translate/reply.ts';
import type { TranslationTarget } from '../translate/translate.ts';
import type { Arrival } from './arrival.ts';
import { missingKey } from './arrival.ts';
import type { BodyEdit, Headers, ReplyChange, RequestHead, ResponseHead, ResponsePlan } from './messages.ts';
import { asksUsage } from './outgoing.ts';
import { asBuffer } from './reader.ts';
import { redirected, targetAt } from './redirect.ts';
import { type ModelConfig, spokenTo } from './served.ts';
import type { Services } from './services.ts';

/** Who serves a call, by the model that it asks for. */
export type Serving = { kind: 'served'; served: Served } | { kind: 'refused'; refusal: Refusal };

export interface Served {
  /** The call as it goes to that provider, in the dialect that is spoken there. */
  arrival: Arrival;
  /** With a hash that tells apart who answered, and in which dialect. */
  facts: RequestFacts;
  /** The model's name there, where the body names another. */
  rename: string | null;
  /** Set where the provider speaks another dialect than the caller. */
  translation: TranslationTarget | null;
}

/** Asks the config for the model. A path that names its provider keeps it, and so does a foreign credential. */
export function serve(
  head: RequestHead,
  arrival: Arrival,
  facts: RequestFacts,
  { providers, models }: Pick<Services, 'providers' | 'models'>,
): Serving {
  const asIs = { arrival, facts, rename: null, translation: null };
  const model = models(facts.model);
  const named = model?.provider ?? arrival.target.provider;
  const moves = named !== arrival.target.provider;
  const provider = providers[named];
  const keeps = moves && (/^\/providers\//.test(head.path) || !arrival.putsIn);
  if (!model || !provider || keeps || facts.model === null) return keyed(arrival, asIs);
  const served = servedBy(head, arrival, facts, { name: named, provider, model });
  return served ? keyed(served.arrival, served) : untranslatable(arrival, named);
}

function keyed(arrival: Arrival, served: Served): Serving {
  const refusal = missingKey(arrival);
  return refusal ? { kind: 'refused', refusal } : { kind: 'served', served };
}

function untranslatable({ dialect }: Arrival, provider: string): Serving {
  const message = `A ${dialect?.name} request cannot be translated for ${provider}, which serves this model: only chats are, between OpenAI, Anthropic and Gemini.`;
  return { kind: 'refused', refusal: { code: 'not_translatable', message } };
}

interface Server {
  name: string;
  provider: Arrival['provider'];
  model: ModelConfig;
}

/** null: what the provider speaks cannot be translated to. */
function servedBy(head: RequestHead, arrival: Arrival, facts: RequestFacts, server: Server): Served | null {
  const { name, provider, model } = server;
  const asking = arrival.dialect?.name ?? '';
  const asked = facts.model ?? '';
  const there = model.model ?? asked;
  const same = name === arrival.target.provider;
  const wanted = same && !model.dialect ? asking : spokenTo(provider, model, asking);
  const from = neutralName(asking);
  const to = wanted === null ? null : neutralName(wanted);
  if (wanted === asking || (!from && provider.api === arrival.provider.api)) {
    if (same && there === asked) return { arrival, facts, rename: null, translation: null };
    const target = targetAt(name, provider, endpointOf(arrival, asked, there));
    const moved = redirected(arrival, head, { target, provider, dialect: arrival.dialect });
    const isInPath = arrival.target.endpoint !== target.endpoint;
    const rename = there === asked || isInPath ? null : there;
    return { arrival: moved, facts: { ...facts, hash: `${facts.hash} ${there}` }, rename, translation: null };
  }
  if (!from || !to) return null;
  const target = targetAt(name, provider, neutralDialects[to].endpoint(there, facts.stream));
  const dialect = dialectByName(to);
  return {
    arrival: redirected(arrival, head, { target, provider, dialect }),
    facts: { ...facts, hash: `${facts.hash} ${asking} ${there}`, hidesUsage: false },
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
function leftOutBy(headers: Headers): string[] {
  return (headers.get('x-weir-leave-out') ?? '').split(',').map((each) => each.trim().toLowerCase());
}

/** The endpoint that was called, with version and query; Google's has the model in it. */
function endpointOf({ target, provider }: Arrival, asked: string, there: string): string {
  const query = /\?.*$/s.exec(target.path)?.[0] ?? '';
  const version = provider.api === 'gemini' ? '/v1beta' : '/v1';
  const endpoint = target.endpoint.replace(
    `/models/${encodeURIComponent(asked)}:`,
    () => `/models/${encodeURIComponent(there)}:`,
  );
  return version + endpoint + query;
}

/** The request as the provider gets it. */
export type Sent =
  | { kind: 'sent'; body: Buffer | null; reply: TranslatedReply | null }
  | { kind: 'refused'; refusal: Refusal };

export async function send(
  bytes: Buffer,
  { rename, translation }: Served,
  call: { id: string; asking: Arrival },
  { reader, now }: Pick<Services, 'reader' | 'now'>,
): Promise<Sent> {
  if (rename !== null) return { kind: 'sent', body: await reader.rename(bytes, rename), reply: null };
  const from = neutralName(call.asking.dialect?.name ?? '');
  if (!translation || !from) return { kind: 'sent', body: null, reply: null };
  const { endpoint, path } = call.asking.target;
  const query = /\?.*$/s.exec(path)?.[0] ?? '';
  const translated = await reader.translate({
    from,
    path: endpoint + query,
    body: bytes,
    to: translation,
    id: call.id.replaceAll('-', ''),
    now: Math.floor(now() / 1000),
  });
  if (translated.kind === 'refused')
    return { kind: 'refused', refusal: { code: 'not_translatable', message: translated.message } };
  const { asked, left } = translated;
  const translator = replyTranslator(translation.dialect, asked);
  return {
    kind: 'sent',
    body: asBuffer(translated.body),
    reply: new TranslatedReply(translator, left, (body, status) =>
      reader.translateReply(translation.dialect, asked, body, status),
    ),
  };
}

/** The reply of a translated call on its way back. */
export class TranslatedReply implements StreamFilter, ReplyChange {
  readonly #translator: ReplyTranslator;
  readonly #left: string[];
  readonly #whole: (body: Buffer, status: number) => ReturnType<Services['reader']['translateReply']>;
  #status = 0;

  constructor(
    translator: ReplyTranslator,
    left: string[],
    whole: (body: Buffer, status: number) => ReturnType<Services['reader']['translateReply']>,
  ) {
    this.#translator = translator;
    this.#left = left;
    this.#whole = whole;
  }

  /** How the body shall come, and what the head says: streams are told in theirs, the rest when it is whole. */
  plan(head: ResponseHead, observe: ResponsePlan['observe']): ResponsePlan {
    this.#status = head.status;
    const set: Record<string, string> = {};
    if (this.#left.length > 0) set['x-weir-left-out'] = this.#left.join(', ');
    const id = head.headers.get('x-request-id') ?? head.headers.get('request-id');
    // Each SDK looks for its own.
    if (id !== undefined) Object.assign(set, { 'x-request-id': id, 'request-id': id });
    if (observe === 'chunks') set['content-type'] = this.#translator.contentType(true);
    const isCompressed = head.headers.has('content-encoding');
    const needed = observe === 'nothing' && !head.ended && !isCompressed ? 'whole' : observe;
    return { observe: needed, edit: { set, remove: needed === 'chunks' ? ['content-length'] : [] } };
  }

  /** The head as the caller gets it. */
  head(head: ResponseHead, streamed: boolean): ResponseHead {
    const headers = new Map(head.headers).set('content-type', this.#translator.contentType(streamed));
    return { ...head, headers };
  }

  /** What was told to the caller is not what the provider said: it broke off on the way. */
  get failed(): boolean {
    return this.#translator.failed;
  }

  push(chunk: Buffer, ended: boolean): Buffer {
    const text = this.#translator.push(chunk);
    return ended ? Buffer.concat([text, this.#translator.end()]) : text;
  }

  async whole(body: Buffer): Promise<BodyEdit> {
    const { status, body: told } = await this.#whole(body, this.#status);
    const set = {
      ...(status !== this.#status && { ':status': String(status) }),
      'content-type': this.#translator.contentType(false),
      'content-length': String(told.length),
    };
    return { body: told, headers: { set, remove: [] } };
  }
}
