import type { StreamFilter } from '../dialects/dialect.ts';
import type { Refusal } from '../dialects/errors.ts';
import { neutralName, spokenDialects } from '../dialects/neutral-registry.ts';
import { queryOf } from '../dialects/target.ts';
import { type ReplyTranslator, replyTranslator } from '../translate/reply.ts';
import type { Arrival } from './arrival.ts';
import type { BodyEdit, ReplyChange, ResponseHead, ResponsePlan } from './messages.ts';
import { asBuffer } from './reader.ts';
import type { Served } from './serve.ts';
import type { Services } from './services.ts';

/** The request as the provider gets it. */
export type Sent =
  | { kind: 'sent'; body: Buffer | null; reply: TranslatedReply | null }
  | { kind: 'refused'; refusal: Refusal };

export async function send(
  bytes: Buffer,
  served: Served,
  call: { id: string; asking: Arrival },
  services: Pick<Services, 'reader' | 'now'>,
): Promise<Sent> {
  const sent = await written(bytes, served, call, services);
  const { envelope } = served;
  if (sent.kind === 'refused' || !envelope) return sent;
  return { ...sent, body: await services.reader.edit(sent.body ?? bytes, envelope.edits) };
}

async function written(
  bytes: Buffer,
  { rename, translation }: Served,
  call: { id: string; asking: Arrival },
  { reader, now }: Pick<Services, 'reader' | 'now'>,
): Promise<Sent> {
  if (rename !== null) {
    const body = await reader.edit(bytes, { model: JSON.stringify(rename) });
    return { kind: 'sent', body, reply: null };
  }
  const from = neutralName(call.asking.dialect?.name ?? '');
  if (!translation || !from) return { kind: 'sent', body: null, reply: null };
  const { endpoint, path } = call.asking.target;
  const translated = await reader.translate({
    from,
    path: endpoint + queryOf(path),
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
    reply: new TranslatedReply(translator, left, (body, { status, headers }) => {
      const { errorType: named } = spokenDialects[translation.dialect];
      const errorType = named === undefined ? null : (headers.get(named) ?? null);
      return reader.translateReply(translation.dialect, asked, body, { status, errorType });
    }),
  };
}

/** What providers call the id that they give a call. */
const requestIds = ['x-request-id', 'request-id', 'x-amzn-requestid'];

type Whole = (body: Buffer, head: ResponseHead) => ReturnType<Services['reader']['translateReply']>;

/** The reply of a translated call on its way back. */
export class TranslatedReply implements StreamFilter, ReplyChange {
  readonly #translator: ReplyTranslator;
  readonly #left: string[];
  readonly #whole: Whole;
  #head: ResponseHead | null = null;
  #failed = false;

  constructor(translator: ReplyTranslator, left: string[], whole: Whole) {
    this.#translator = translator;
    this.#left = left;
    this.#whole = whole;
  }

  /** How the body shall come, and what the head says: streams are told in theirs, the rest when it is whole. */
  plan(head: ResponseHead, observe: ResponsePlan['observe']): ResponsePlan {
    this.#head = head;
    const set: Record<string, string> = {};
    if (this.#left.length > 0) set['x-weir-left-out'] = this.#left.join(', ');
    const id = requestIds.map((name) => head.headers.get(name)).find((each) => each !== undefined);
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
    return this.#failed || this.#translator.failed;
  }

  push(chunk: Buffer, ended: boolean): Buffer {
    const text = this.#translator.push(chunk);
    return ended ? Buffer.concat([text, this.#translator.end()]) : text;
  }

  async whole(body: Buffer): Promise<BodyEdit> {
    if (!this.#head) throw new Error('a reply has a head before it has a body');
    const { status, body: told } = await this.#whole(body, this.#head);
    this.#failed = status !== this.#head.status;
    const set = {
      ...(this.#failed && { ':status': String(status) }),
      'content-type': this.#translator.contentType(false),
      'content-length': String(told.length),
    };
    return { body: told, headers: { set, remove: [] } };
  }
}
