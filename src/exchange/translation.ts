import type { DialectName } from '../config/dialects.ts';
import type { StreamFilter } from '../dialects/dialect.ts';
import type { Refusal } from '../dialects/errors.ts';
import { neutralName } from '../dialects/neutral-registry.ts';
import { type ReplyTranslator, replyTranslator } from '../translate/reply.ts';
import type { TranslationTarget } from '../translate/translate.ts';
import type { Arrival } from './arrival.ts';
import type { BodyEdit, ReplyChange, ResponseHead, ResponsePlan } from './messages.ts';
import { asksUsage } from './outgoing.ts';
import { asBuffer } from './reader.ts';
import type { Served } from './serve.ts';
import type { Services } from './services.ts';

/** The request as the provider gets it, and how its reply is read. */
export type Sent =
  | {
      kind: 'sent';
      /** null: as it came. */
      body: Buffer | null;
      /** The same without what weir asks for: what tokens are counted of. */
      counted: Buffer;
      /** Set where weir asked for usage that the caller did not ask for, or where the reply is translated. */
      filter: StreamFilter | null;
      reply: TranslatedReply | null;
    }
  | { kind: 'refused'; refusal: Refusal };

export async function send(
  bytes: Buffer,
  { translation, rename, arrival, facts }: Served,
  call: { id: string; asking: Arrival },
  services: Pick<Services, 'reader' | 'now'>,
): Promise<Sent> {
  const from = neutralName(call.asking.dialect?.name ?? '');
  if (translation && from) return translated(bytes, { from, translation }, call, services);
  const named = rename === null ? null : await services.reader.edit(bytes, { model: JSON.stringify(rename) });
  const counted = named ?? bytes;
  const asked = facts.hidesUsage && asksUsage(arrival.provider) ? arrival.dialect?.askUsage?.(counted) : null;
  return {
    kind: 'sent',
    body: asked?.body ?? named,
    counted,
    filter: asked?.filter() ?? null,
    reply: null,
  };
}

async function translated(
  bytes: Buffer,
  { from, translation }: { from: DialectName; translation: TranslationTarget },
  { id, asking }: { id: string; asking: Arrival },
  { reader, now }: Pick<Services, 'reader' | 'now'>,
): Promise<Sent> {
  const { endpoint, path } = asking.target;
  const query = /\?.*$/s.exec(path)?.[0] ?? '';
  const made = await reader.translate({
    from,
    path: endpoint + query,
    body: bytes,
    to: translation,
    id: id.replaceAll('-', ''),
    now: Math.floor(now() / 1000),
  });
  if (made.kind === 'refused')
    return { kind: 'refused', refusal: { code: 'not_translatable', message: made.message } };
  const { asked, left } = made;
  const { dialect } = translation;
  const reply = new TranslatedReply(replyTranslator(dialect, asked), left, (body, status) =>
    reader.translateReply(dialect, asked, body, status),
  );
  const body = asBuffer(made.body);
  return { kind: 'sent', body, counted: body, filter: reply, reply };
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
