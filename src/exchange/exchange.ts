import { admit, admitUnread } from './admission.ts';
import { providerRefusal, unreadModelRefusal } from './allowed.ts';
import { notKept, refusalAnswer } from './answers.ts';
import { arrive, isUnknown } from './arrival.ts';
import type { Attempts } from './attempts.ts';
import { Call } from './call.ts';
import { draftRecord } from './draft.ts';
import { type Followed, follow, leftFields, serveStream } from './following.ts';
import { type Inspection, inspect } from './inspect.ts';
import type {
  BodyDecision,
  BodyEdit,
  ForwardDecision,
  HeadDecision,
  RequestHead,
  ResponseHead,
  ResponsePlan,
} from './messages.ts';
import { listing } from './model-list.ts';
import { unchanged } from './reply.ts';
import { beginReply, finish, passReply } from './replying.ts';
import { ask, forward } from './sending.ts';
import type { Services } from './services.ts';

export type StartExchange = (head: RequestHead) => Exchange;

/**
 * The story of one call. Its methods are called in the order of the call: `head`, `body` when it was
 * asked for, `responseHead`, `responseBody` as planned, and `end` in any case.
 */
export class Exchange {
  readonly isUpgrade: boolean;
  readonly #call: Call;
  /** Aborted when the caller hangs up. */
  #left: AbortController | null = null;

  /** `attempted`: the attempts that Envoy makes, by the ids of their calls. */
  constructor(
    head: RequestHead,
    services: Services,
    closing: (work: Promise<void>) => void,
    attempted = new Map<string, Attempts>(),
  ) {
    this.#call = new Call(head, services, closing, attempted);
    this.isUpgrade = head.headers.has('upgrade');
  }

  get id(): string {
    return this.#call.id;
  }

  /** Who calls whom? Decides for calls whose body is of no interest. */
  async head(): Promise<HeadDecision> {
    const call = this.#call;
    const { id, head, services, startedAt } = call;
    if (isUnknown(head, services.providers)) return { kind: 'forward', edit: { set: {}, remove: [] } };
    const arrived = arrive(head, services);
    if (arrived.kind === 'refused')
      return { kind: 'answer', answer: refusalAnswer(arrived.api, arrived.refusal, id) };
    const { arrival } = arrived;
    call.asking = arrival;
    call.arrival = arrival;
    const { fingerprint, limits } = services;
    const record = draftRecord({ id, head, arrival, startedAt, fingerprint, processor: limits.process });
    call.record = record;
    const isRead = arrival.dialect !== null && !arrival.dialect.later;
    if (isRead) return { kind: 'read' };
    const { isUpgrade } = this;
    const { method, operation } = record;
    const forbidden =
      (arrival.smart ? null : providerRefusal(arrival.access, arrival.target.provider)) ??
      unreadModelRefusal(arrival, { method, operation, isUpgrade });
    if (forbidden) return call.refuse(forbidden);
    call.listing = listing(head, arrival, services.aliases);
    if (call.listing) arrival.edit.remove.push('accept-encoding');
    const admission = await admitUnread(arrival, record, { ip: head.ip, isUpgrade }, services);
    call.admit(admission);
    return admission.denial ? call.deny(admission) : forward(call, arrival);
  }

  /** What is asked? Limits and the cache decide, in one round trip. */
  async body(received: Buffer): Promise<BodyDecision> {
    const call = this.#call;
    const { head, services } = call;
    // It was let go at its head.
    if (call.forwarded) return { kind: 'forward', edit: { set: {}, remove: [] } };
    if (!call.arrival || !call.record) throw new Error('a body came before a head');
    const inspection = await inspect({ head, arrival: call.arrival, body: received }, services);
    call.note(inspection.fields);
    if (inspection.kind === 'refused') return call.refuse(inspection.refusal);
    const { routed, served, lookup } = inspection;
    const { bytes, body: _, ...asked } = routed;
    const { arrival, facts } = served;
    call.asking = asked.arrival;
    call.arrival = arrival;
    call.routed = asked;
    call.lookup = lookup;
    call.inspected = { facts, model: served.model, requestBody: null, changes: unchanged };
    call.note({
      stream: facts.stream,
      maxOutputTokens: facts.maxOutputTokens,
      temperature: facts.temperature,
      topP: facts.topP,
      reasoningEffort: facts.reasoningEffort,
      cacheKey: lookup.key,
      cacheExpiresAt: call.startedAt + lookup.control.ttl,
      prefixHashes: facts.prefixHashes,
      cache: lookup.result,
      ...(call.record.user === null && { user: facts.user }),
    });
    const limited = { arrival, record: call.record, facts, bytes: bytes.length, ip: head.ip };
    const [admission, found] = await Promise.all([admit(limited, services), lookup.find()]);
    call.admit(admission);
    const isFree = found.kind !== 'forward' && admission.passesHits;
    if (admission.denial && !isFree) return call.deny(admission);
    if (found.kind === 'given') return call.give(found);
    if (lookup.control.only) return call.refuse(notKept);
    if (found.kind === 'forward') return ask(call, inspection, received);
    this.#left = new AbortController();
    const followed = follow(lookup, found.flight, this.#left.signal);
    return { kind: 'wait', decided: followed.then((each) => this.#followed(each, inspection, received)) };
  }

  /** What came of waiting for an equal call. */
  async #followed(followed: Followed, inspection: Inspection, received: Buffer): Promise<ForwardDecision> {
    const call = this.#call;
    if (followed.kind === 'given') return call.give(followed);
    if (followed.kind === 'forward' && call.admission?.denial) return call.deny(call.admission);
    if (followed.kind === 'forward') return ask(call, inspection, received);
    const { relay, now } = call.services;
    if (followed.kind === 'left' || !relay) {
      call.close(leftFields);
      return { kind: 'forward', edit: { set: {}, remove: [] } };
    }
    call.isServed = true;
    call.note({ firstChunkMs: now() - call.startedAt });
    const { serving, told } = serveStream(followed, call.headers());
    call.closing(told.then((fields) => call.close(fields)));
    return { kind: 'forward', edit: relay.offer(serving), body: Buffer.alloc(0) };
  }

  responseHead(head: ResponseHead): ResponsePlan {
    const { attempts, isServed } = this.#call;
    attempts?.answered();
    if (isServed || attempts?.accepted) return { observe: 'nothing', edit: { set: {}, remove: [] } };
    return beginReply(this.#call, head);
  }

  async responseBody(received: Buffer, ended: boolean): Promise<BodyEdit> {
    return passReply(this.#call, received, ended);
  }

  /** A fault of weir's own lets a call go on as it came: it is written down all the same. */
  async passAsItCame(): Promise<void> {
    const call = this.#call;
    if (!call.arrival || call.forwarded || call.record?.outcome !== 'interrupted') return;
    call.note({ errorCode: 'weir_failed' });
    await forward(call, call.arrival);
  }

  /** The caller hung up: whoever waits for another call does so no more. */
  hangUp(): void {
    this.#left?.abort();
  }

  /** The side stream is over, with or without an end of the reply. What is left to do goes on behind. */
  end(): void {
    const { attempts } = this.#call;
    if (attempts) attempts.callEnded();
    else finish(this.#call);
  }
}
