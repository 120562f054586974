import { noFacts, type StreamObserver } from '../dialects/dialect.ts';
import type { Unframer } from '../dialects/envelope.ts';
import type { Failure } from './attempt-record.ts';
import type { Attempted, Attempts } from './attempts.ts';
import type {
  BodyEdit,
  ForwardDecision,
  HeadDecision,
  HeaderEdit,
  RequestHead,
  ResponseHead,
  ResponsePlan,
} from './messages.ts';
import { retryAfterMs } from './retry-after.ts';
import type { Served } from './serve.ts';
import type { Services } from './services.ts';
import { unframed } from './unframed.ts';

/** So much of a stream is looked at for its first event, and for so long. */
const maxHeldBytes = 64 * 1024;
export const maxHeldMs = 20_000;
/** What a caller does not choose: Envoy and the dialect of the provider do. */
const kept =
  /^(:(authority|method|scheme)|host|content-length|transfer-encoding|x-request-id|x-forwarded-proto|x-exchange-id|x-envoy-.*|x-weir-internal-.*)$/;

/** What of a reply goes on: its head waits until it is known whether it is one. */
export type Released = { kind: 'waits' } | { kind: 'goes'; edit: HeaderEdit; body: BodyEdit | null };

/**
 * One attempt of a call at one provider. The head is made anew from what the caller sent: Envoy gives it as the
 * attempt before has left it, with that one's key. A reply that Envoy shall take for a failure is not looked at.
 */
export class Attempt {
  readonly id: string;
  readonly #number: number;
  readonly #isLast: boolean;
  readonly #served: Served;
  readonly #head: RequestHead;
  readonly #call: Attempted;
  readonly #attempts: Attempts;
  readonly #services: Services;
  readonly #startedAt: number;
  #sent = false;
  /** Accepted: the caller has its head, and nothing can take its place any more. */
  #state: 'asked' | 'accepted' | 'failed' = 'asked';
  #response: ResponseHead | null = null;
  #probe: StreamObserver | null = null;
  #unframer: Unframer | null = null;
  #plan: ResponsePlan | null = null;
  #held: Buffer[] = [];
  #heldBytes = 0;

  constructor(options: {
    /** From 1. */
    number: number;
    isLast: boolean;
    served: Served;
    head: RequestHead;
    call: Attempted;
    attempts: Attempts;
    services: Services;
  }) {
    this.#number = options.number;
    this.id = options.call.id;
    this.#isLast = options.isLast;
    this.#served = options.served;
    this.#head = options.head;
    this.#call = options.call;
    this.#attempts = options.attempts;
    this.#services = options.services;
    this.#startedAt = options.services.now();
  }

  async head(): Promise<HeadDecision> {
    return { kind: 'read' };
  }

  async body(bytes: Buffer): Promise<ForwardDecision> {
    const { body, edit } = await this.#call.goesTo(this.#served, bytes, this.#number);
    this.#sent = true;
    return { kind: 'forward', edit: this.#edit(edit), body };
  }

  responseHead(head: ResponseHead): Released {
    this.#response = head;
    const failed = head.status === 408 || head.status === 429 || head.status >= 500;
    if (failed && !this.#isLast) {
      const restMs = retryAfterMs(head.headers, this.#services.now());
      this.#fail({ status: head.status, error: `http_${head.status}`, billed: 'no', restMs });
      return { kind: 'goes', edit: { set: {}, remove: [] }, body: null };
    }
    this.#plan = this.#call.responseHead(head);
    if (this.#plan.observe === 'nothing') return this.#accept(this.#plan.edit);
    const { dialect, target } = this.#served.arrival;
    const plain = unframed(head);
    if (plain !== head) this.#unframer = this.#served.envelope?.unframe?.() ?? null;
    const contentType = (plain.headers.get('content-type') ?? '').toLowerCase();
    const reply = { status: head.status, contentType, headers: plain.headers };
    this.#probe = (this.#plan.observe === 'chunks' && dialect?.observeStream(reply, target.endpoint)) || null;
    return { kind: 'waits' };
  }

  /** `ended`: nothing follows. Its chunks are cut as they come: what waits is given back in one. */
  async responseBody(bytes: Buffer, ended: boolean): Promise<Released | BodyEdit> {
    if (this.#state === 'failed') return {};
    if (this.#state === 'accepted') return this.#call.responseBody(bytes, ended);
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (ended) return this.release(true);
    if (this.#plan?.observe === 'whole') return { kind: 'waits' };
    this.#probe?.push(this.#unframer?.push(bytes) ?? bytes);
    const { error, text, usage, model } = this.#probe?.facts() ?? noFacts;
    if (error !== null && text.chars === 0 && !this.#isLast) {
      this.#fail({ status: 200, error, billed: 'no', restMs: null });
      // Envoy goes by the status.
      return { kind: 'goes', edit: { set: { ':status': '503' }, remove: [] }, body: {} };
    }
    const begun = error !== null || text.chars > 0 || usage !== null || model !== null;
    return begun || this.#heldBytes > maxHeldBytes ? this.release() : { kind: 'waits' };
  }

  /** An event is waited for no longer. */
  async expire(): Promise<Released> {
    return this.#plan?.observe === 'chunks' ? this.release() : { kind: 'waits' };
  }

  /** Whatever has come goes on. */
  async release(ended = false): Promise<Released> {
    if (this.#state !== 'asked' || !this.#plan) return { kind: 'waits' };
    const { edit } = this.#plan;
    const bytes = Buffer.concat(this.#held);
    this.#held = [];
    if (bytes.length === 0 && !ended) return this.#accept(edit);
    const { headers, body } = await this.#call.responseBody(bytes, ended);
    const set = { ...edit.set, ...headers?.set };
    return { ...this.#accept({ ...edit, set }), body: { body: body ?? bytes } };
  }

  end(): void {
    this.#attempts.ended(this.#state === 'asked' ? this.#failure(this.#unanswered()) : null);
  }

  #accept(edit: HeaderEdit): Released & { kind: 'goes' } {
    this.#state = 'accepted';
    this.#attempts.accept(this, (this.#response?.status ?? 500) < 400 ? this.#served : null);
    return { kind: 'goes', edit, body: null };
  }

  #fail(failure: Omit<Failure, 'served' | 'startedAt' | 'endedAt'>): void {
    this.#state = 'failed';
    this.#attempts.failed(this.#failure(failure));
  }

  #failure(failure: Omit<Failure, 'served' | 'startedAt' | 'endedAt'>): Failure {
    const endedAt = this.#services.now();
    return { ...failure, served: this.#served, startedAt: this.#startedAt, endedAt };
  }

  /** What to think of it that there was no answer, or only a head. */
  #unanswered(): Omit<Failure, 'served' | 'startedAt' | 'endedAt'> {
    if (this.#response)
      return { status: this.#response.status, error: 'broken_off', billed: 'likely', restMs: null };
    const timeoutMs = this.#attempts.firstByteTimeoutMs;
    // Envoy's clock for it begins a little earlier.
    const isLate = timeoutMs !== null && this.#services.now() - this.#startedAt >= 0.8 * timeoutMs;
    if (isLate) return { status: null, error: 'timeout', billed: 'likely', restMs: null };
    // Whether it had the request by then only Envoy knows.
    return { status: null, error: 'no_answer', billed: this.#sent ? 'maybe' : 'no', restMs: null };
  }

  /** From the head as it came here to the one that this provider shall get. */
  #edit({ set, remove }: HeaderEdit): HeaderEdit {
    const wanted = new Map([...this.#call.head.headers, ...Object.entries(set)]);
    for (const name of remove) if (!(name in set)) wanted.delete(name);
    const changed = [...wanted].filter(
      ([name, value]) => !kept.test(name) && this.#head.headers.get(name) !== value,
    );
    const gone = [...this.#head.headers.keys()].filter((name) => !kept.test(name) && !wanted.has(name));
    return { set: Object.fromEntries(changed), remove: gone };
  }
}
