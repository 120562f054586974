import type { StreamFilter } from '../dialects/dialect.ts';
import type { Unframer } from '../dialects/envelope.ts';
import type { Arrival } from './arrival.ts';
import type { ReplyChange, ResponseHead, ResponsePlan } from './messages.ts';
import { type Observation, observe } from './observation.ts';
import type { Services } from './services.ts';
import type { TranslatedReply } from './translation.ts';
import { unframed } from './unframed.ts';

/** What is made of a reply on its way to the caller. */
export interface Changes {
  /** Set where weir asked for usage that the caller did not ask for, or where the reply is translated. */
  filter: StreamFilter | null;
  /** Set where the provider speaks another dialect than the caller. */
  translated: TranslatedReply | null;
  /** Set where a stream comes in frames. */
  unframer: Unframer | null;
}

export const unchanged: Changes = { filter: null, translated: null, unframer: null };

/** The reply to one call, of the provider or of Envoy in its place: watched as it comes, and changed for the caller. */
export class Reply {
  /** As the caller gets it. */
  readonly head: ResponseHead;
  readonly observation: Observation;
  /** All of it has come. */
  ended: boolean;
  readonly #filter: StreamFilter | null;
  readonly #change: ReplyChange | null;
  readonly #unframer: Unframer | null;
  /** What is changed of its head beside what the caller is told. */
  readonly #plan: ResponsePlan;

  constructor(
    received: ResponseHead,
    /** `listing`: set where it is a list of models that weir's own names go into. */
    call: { arrival: Arrival | null; changes: Changes; listing: ReplyChange | null },
    services: Pick<Services, 'reader' | 'held'>,
    record: Parameters<typeof observe>[3],
  ) {
    const { filter, translated, unframer } = call.changes;
    const head = unframer ? unframed(received) : received;
    const isUnframed = head !== received;
    this.observation = observe(head, call.arrival, services, record);
    const { observe: observed } = this.observation;
    this.ended = observed === 'nothing';
    this.#unframer = isUnframed ? unframer : null;
    this.#filter = observed === 'chunks' ? filter : null;
    this.#change = translated ?? call.listing;
    const isTold = this.#filter !== null;
    const planned = this.#change?.plan(head, observed);
    this.head = translated?.head(head, isTold) ?? head;
    this.#plan = {
      observe: planned?.observe ?? observed,
      edit: {
        set: { ...(isUnframed && { 'content-type': 'text/event-stream' }), ...planned?.edit.set },
        remove: isTold || isUnframed ? ['content-length'] : [],
      },
    };
  }

  /** How the body shall come, and what of its head is changed beside what the caller is told. */
  plan(told: Record<string, string>): ResponsePlan {
    const { observe, edit } = this.#plan;
    return { observe, edit: { ...edit, set: { ...told, ...edit.set } } };
  }

  /**
   * A piece of the body. `visible`: what the caller gets in its place; `bytes`: what the provider said; both are
   * `received` where nothing is changed. `set`: headers of one that came whole.
   */
  async push(
    received: Buffer,
    ended: boolean,
  ): Promise<{ bytes: Buffer; visible: Buffer; set: Record<string, string> }> {
    const bytes = this.#unframer?.push(received) ?? received;
    const whole = this.#change && !this.#filter ? await this.#change.whole(bytes) : null;
    const visible = whole?.body ?? this.#filter?.push(bytes, ended) ?? bytes;
    return { bytes, visible, set: whole?.headers?.set ?? {} };
  }
}
