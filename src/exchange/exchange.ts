import type { ProviderConfig } from '../config/schema.ts';
import type { RequestFacts } from '../dialects/dialect.ts';
import type { Refusal } from '../dialects/errors.ts';
import { ownCopy } from '../dialects/own-copy.ts';
import type { Admission } from '../limits/limits.ts';
import type { UsageRecord } from '../usage/record.ts';
import { admit, admitUnread, closeAdmission, limitedBy } from './admission.ts';
import { providerRefusal, unreadModelRefusal } from './allowed.ts';
import { modelHeader, moneyHeaders, notKept, ownHeaders, refusalAnswer } from './answers.ts';
import { type Arrival, arrive, isUnknown } from './arrival.ts';
import { Attempts } from './attempts.ts';
import { comparison } from './baseline.ts';
import { denialRefusal } from './denials.ts';
import { draftRecord, providerIds, targetFields } from './draft.ts';
import { type Followed, follow, leftFields, serveStream } from './following.ts';
import { uuidv7 } from './ids.ts';
import { type Inspection, inspect, type Outgoing, writeFor, writeOut } from './inspect.ts';
import { givenFields, givenHeaders } from './keeping.ts';
import { learnFrom } from './learn.ts';
import { logCall } from './log.ts';
import type { Giving, Lookup } from './lookup.ts';
import type {
  BodyDecision,
  BodyEdit,
  ForwardDecision,
  HeadDecision,
  ReplyChange,
  RequestHead,
  ResponseHead,
  ResponsePlan,
} from './messages.ts';
import { listing } from './model-list.ts';
import { priceFields } from './pricing.ts';
import { type Changes, Reply, unchanged } from './reply.ts';
import type { Routed } from './routing.ts';
import type { Served } from './serve.ts';
import type { Services } from './services.ts';
import { guessedUsage, replyFields, settle } from './settle.ts';
import { signedEdit } from './signing.ts';

/** A request larger than this is not held on to for counting: 8 MiB. */
const maxHeldBytes = 8 * 1024 * 1024;

export type StartExchange = (head: RequestHead) => Exchange;

/** A call that weir looks into, from the moment its body is read. */
interface Inspected {
  facts: RequestFacts;
  /** Its name at who serves it. */
  model: string | null;
  /** Held until the provider has told its numbers. */
  requestBody: Buffer | null;
  changes: Changes;
}

/**
 * The story of one call. Its methods are called in the order of the call: `head`, `body` when it was
 * asked for, `responseHead`, `responseBody` as planned, and `end` in any case.
 */
export class Exchange {
  readonly id: string;
  readonly isUpgrade: boolean;
  readonly #services: Services;
  readonly #head: RequestHead;
  readonly #startedAt: number;
  readonly #closing: (work: Promise<void>) => void;
  /** The exchanges whose attempts Envoy makes, by their ids. */
  readonly #attempted: Map<string, Exchange>;
  /** As the caller asks, and as it goes to who serves it. */
  #asking: Arrival | null = null;
  #arrival: Arrival | null = null;
  #lookup: Lookup | null = null;
  #inspected: Inspected | null = null;
  #admission: Admission | null = null;
  #record: UsageRecord | null = null;
  /** Set while a provider has the call. */
  #forwarded: Arrival | null = null;
  #reply: Reply | null = null;
  /** Set where it asks for a list of models that weir's own names go into. */
  #listing: ReplyChange | null = null;
  /** Set where several may serve it. */
  #attempts: Attempts | null = null;
  /** Aborted when the caller hangs up. */
  #left: AbortController | null = null;
  /** The answer is a stream of weir's own. */
  #isServed = false;
  #routed: Omit<Routed, 'bytes' | 'body'> | null = null;

  constructor(
    head: RequestHead,
    services: Services,
    closing: (work: Promise<void>) => void,
    attempted = new Map<string, Exchange>(),
  ) {
    this.#services = services;
    this.#head = head;
    this.#closing = closing;
    this.#attempted = attempted;
    this.#startedAt = services.now();
    this.id = uuidv7(this.#startedAt);
    this.isUpgrade = head.headers.has('upgrade');
  }

  get attempts(): Attempts | null {
    return this.#attempts;
  }

  /** Who calls whom? Decides for calls whose body is of no interest. */
  async head(): Promise<HeadDecision> {
    if (isUnknown(this.#head, this.#services.providers))
      return { kind: 'forward', edit: { set: {}, remove: [] } };
    const arrived = arrive(this.#head, this.#services);
    if (arrived.kind === 'refused')
      return { kind: 'answer', answer: refusalAnswer(arrived.api, arrived.refusal, this.id) };
    const { arrival } = arrived;
    this.#asking = arrival;
    this.#arrival = arrival;
    this.#record = draftRecord({
      id: this.id,
      head: this.#head,
      arrival,
      startedAt: this.#startedAt,
      fingerprint: this.#services.fingerprint,
      processor: this.#services.limits.process,
    });
    const isRead = arrival.dialect !== null && !arrival.dialect.later;
    if (isRead) return { kind: 'read' };
    const { method, operation } = this.#record;
    const forbidden =
      (arrival.smart ? null : providerRefusal(arrival.access, arrival.target.provider)) ??
      unreadModelRefusal(arrival, { method, operation, isUpgrade: this.isUpgrade });
    if (forbidden) return this.#refuse(forbidden);
    this.#listing = listing(this.#head, arrival, this.#services.aliases);
    if (this.#listing) arrival.edit.remove.push('accept-encoding');
    const admission = await admitUnread(
      arrival,
      this.#record,
      { ip: this.#head.ip, isUpgrade: this.isUpgrade },
      this.#services,
    );
    this.#admit(admission);
    return admission.denial ? this.#deny(admission) : this.#forward(arrival);
  }

  /** What is asked? Limits and the cache decide, in one round trip. */
  async body(received: Buffer): Promise<BodyDecision> {
    const arrived = this.#arrival;
    // It was let go at its head.
    if (this.#forwarded) return { kind: 'forward', edit: { set: {}, remove: [] } };
    if (!arrived || !this.#record) throw new Error('a body came before a head');
    const inspection = await inspect({ head: this.#head, arrival: arrived, body: received }, this.#services);
    this.#note(inspection.fields);
    if (inspection.kind === 'refused') return this.#refuse(inspection.refusal);
    const { routed, served, lookup } = inspection;
    const { bytes, body: _, ...asked } = routed;
    const { arrival, facts } = served;
    this.#asking = asked.arrival;
    this.#arrival = arrival;
    this.#routed = asked;
    this.#lookup = lookup;
    this.#inspected = { facts, model: served.model, requestBody: null, changes: unchanged };
    this.#note({
      stream: facts.stream,
      maxOutputTokens: facts.maxOutputTokens,
      temperature: facts.temperature,
      topP: facts.topP,
      reasoningEffort: facts.reasoningEffort,
      cacheKey: lookup.key,
      cacheExpiresAt: this.#startedAt + lookup.control.ttl,
      prefixHashes: facts.prefixHashes,
      cache: lookup.result,
      ...(this.#record.user === null && { user: facts.user }),
    });
    const call = { arrival, record: this.#record, facts, bytes: bytes.length, ip: this.#head.ip };
    const [admission, found] = await Promise.all([admit(call, this.#services), lookup.find()]);
    this.#admit(admission);
    const isFree = found.kind !== 'forward' && admission.passesHits;
    if (admission.denial && !isFree) return this.#deny(admission);
    if (found.kind === 'given') return this.#give(found);
    if (lookup.control.only) return this.#refuse(notKept);
    if (found.kind === 'forward') return this.#ask(inspection, received);
    this.#left = new AbortController();
    const followed = follow(lookup, found.flight, this.#left.signal);
    return { kind: 'wait', decided: followed.then((each) => this.#followed(each, inspection, received)) };
  }

  responseHead(head: ResponseHead): ResponsePlan {
    this.#attempts?.answered();
    if (this.#isServed || this.#attempts?.accepted)
      return { observe: 'nothing', edit: { set: {}, remove: [] } };
    return this.#begin(head);
  }

  /** A reply begins, of the provider or of Envoy. */
  #begin(received: ResponseHead): ResponsePlan {
    const record = () => (this.#attempts?.isStandIn ? null : (this.#lookup?.record() ?? null));
    const changes = this.#inspected?.changes ?? unchanged;
    const call = { arrival: this.#arrival, changes, listing: this.#listing };
    const reply = new Reply(received, call, this.#services, record);
    this.#reply = reply;
    const { head } = reply;
    this.#note({ status: head.status, ...providerIds(head.headers) });
    if (!head.fromProvider) this.#note({ errorCode: head.headers.get('x-weir-error') ?? 'upstream_error' });
    const told = this.#headers();
    if (this.#record && this.#inspected) {
      told['x-weir-cache'] = this.#record.cache;
      Object.assign(told, modelHeader(this.#inspected.model));
      if (this.#record.attempts > 1) told['x-weir-attempts'] = String(this.#record.attempts);
    }
    return reply.plan(told);
  }

  async responseBody(received: Buffer, ended: boolean): Promise<BodyEdit> {
    const reply = this.#reply;
    if (!reply) return {};
    if (this.#record?.firstChunkMs === null)
      this.#note({ firstChunkMs: this.#services.now() - this.#startedAt });
    const { bytes, visible, set } = await reply.push(received, ended);
    const given = this.#inspected?.changes.translated ? visible : bytes;
    await reply.observation.push(bytes, given).catch((error: unknown) => {
      this.#services.log.error({ err: error, exchange: this.id }, 'a reply could not be read');
    });
    if (!this.#attempts?.isStandIn) this.#lookup?.begin(reply.head);
    const edit = visible === received ? {} : { body: visible };
    if (!ended) return edit;
    // Before the caller has the end of it: who asks again at once gets this answer.
    this.#endReply(reply);
    // Who does not know of weir is not told of money.
    const isTold = reply.observation.observe === 'whole' && !this.#arrival?.intercepted;
    const headers = { ...set, ...(isTold && this.#record && moneyHeaders(this.#record)) };
    return Object.keys(headers).length === 0 ? edit : { ...edit, headers: { set: headers, remove: [] } };
  }

  /** The reply is whole: what it tells is written down, and it may be given again. */
  #endReply(reply: Reply): void {
    reply.ended = true;
    if (!this.#record || !this.#arrival) return;
    this.#note(replyFields(reply.observation.facts(), this.#record, this.#inspected?.model ?? null));
    this.#note(priceFields(this.#record, this.#arrival, this.#services.pricer));
    this.#note(comparison(this.#record, this.#services));
    this.#keep(this.#record, reply);
  }

  /** The caller hung up: whoever waits for another call does so no more. */
  hangUp(): void {
    this.#left?.abort();
  }

  /** The side stream is over, with or without an end of the reply. What is left to do goes on behind. */
  end(): void {
    if (this.#attempts) this.#attempts.callEnded();
    else this.#finish();
  }

  #finish(): void {
    this.#attempted.delete(this.id);
    // Some clients hang up as soon as they have read the last event: that is an end as well.
    const reply = this.#reply;
    if (reply?.ended === false && reply.observation.facts().complete) this.#endReply(reply);
    this.#lookup?.abandon(reply?.ended || reply?.head.fromProvider === false);
    const forwarded = this.#forwarded;
    // Nothing but what was forwarded can have used anything; what is served still runs.
    if (!forwarded && !this.#isServed) this.#admission?.close('free');
    if (!forwarded || !this.#record) return;
    this.#forwarded = null;
    const call = {
      record: { ...this.#record, endedAt: this.#services.now() },
      arrival: forwarded,
      requestBody: this.#inspected?.requestBody ?? null,
      model: this.#inspected?.model ?? null,
      textChars: this.#inspected?.facts.textChars ?? 0,
      response: reply?.head ?? null,
      observation: reply?.observation ?? null,
      ended: reply?.ended ?? false,
      routed: this.#routed,
    };
    this.#closing(
      settle(call, this.#services)
        .then((record) => {
          this.#close(record);
          learnFrom(record, call, this.#services);
          // What it costs is known only now.
          if (record.usageSource !== 'provider' && reply) this.#keep(record, reply);
        })
        .finally(() => {
          this.#admission?.close('free');
          call.observation?.release();
          this.#services.held.give(call.requestBody?.length ?? 0);
        }),
    );
  }

  /** Asks the provider, in its own words. */
  async #ask(inspection: Inspection, received: Buffer): Promise<ForwardDecision> {
    const { served, servers } = inspection;
    if (servers.servers.length > 1) return this.#try(inspection);
    const out = await writeOut(inspection, this.id, this.#services);
    if (out.kind === 'refused') return this.#refuse(out.refusal);
    this.#goesTo(served, out);
    return this.#forward(served.arrival, out.body === received ? undefined : out.body, received);
  }

  /** Several may serve it: Envoy tries one after the other, and each attempt asks what it is to send. */
  async #try({ servers, routed }: Inspection): Promise<ForwardDecision> {
    const attempted = {
      id: this.id,
      head: this.#head,
      goesTo: async (served: Served, bytes: Buffer, number: number) => {
        const out = await writeFor({ bytes, asking: routed.arrival, served }, this.id, this.#services);
        if (out.kind === 'refused') throw new Error(out.refusal.message);
        this.#goesTo(served, out);
        this.#forwarded = served.arrival;
        this.#note({ ...targetFields(served.arrival, this.#services.fingerprint), attempts: number });
        const signed = { arrival: served.arrival, head: this.#head, body: out.body };
        return { body: out.body, edit: await signedEdit(signed, this.#services) };
      },
      record: () => this.#record,
      tried: (attempts: number) => this.#note({ attempts }),
      responseHead: (head: ResponseHead) => this.#begin(head),
      responseBody: (bytes: Buffer, ended: boolean) => this.responseBody(bytes, ended),
      note: (record: UsageRecord) => this.#services.ledger.close(record),
      finish: () => this.#finish(),
    };
    this.#attempts = new Attempts(attempted, servers, this.#services);
    this.#attempted.set(this.id, this);
    await this.#forward(servers.servers[0].arrival);
    return { ...this.#attempts.forward(), ...(routed.body && { body: routed.body }) };
  }

  /** This one has the call: its reply is read and told as it speaks. The body is held for counting, if there is room. */
  #goesTo(served: Served, { body, filter, reply }: Outgoing): void {
    const { held } = this.#services;
    held.give(this.#inspected?.requestBody?.length ?? 0);
    const isHeld = body.length <= maxHeldBytes && held.take(body.length);
    const { facts, model, arrival } = served;
    const unframer = served.envelope?.unframe?.() ?? null;
    const changes = { filter, translated: reply, unframer };
    this.#inspected = { facts, model, requestBody: isHeld ? ownCopy(body) : null, changes };
    this.#arrival = arrival;
  }

  /** Goes on to the provider: from here on the call leaves a trace, whatever happens. */
  async #forward(
    arrival: Arrival,
    body?: Buffer,
    received: Buffer = Buffer.alloc(0),
  ): Promise<ForwardDecision> {
    if (this.#record) {
      const { facts } = this.#inspected ?? {};
      await this.#services.ledger.open({ ...this.#record, ...(facts && guessedUsage(facts.textChars)) });
    }
    this.#forwarded = arrival;
    // A body that weir has not read cannot be signed: its provider refuses it.
    const signed = { arrival, head: this.#head, body: body ?? received };
    const edit = await signedEdit(signed, this.#services);
    return { kind: 'forward', edit, ...(body && { body }) };
  }

  #admit(admission: Admission): void {
    this.#admission = admission;
    this.#note({ limitedBy: limitedBy(admission) });
  }

  #deny({ denial, standing }: Admission): ForwardDecision {
    if (!denial) throw new Error('nothing denies this call');
    return this.#refuse(denialRefusal(denial, standing, this.#errors(), this.#services.now()));
  }

  /** In whose form the caller expects errors. */
  #errors(): ProviderConfig['api'] {
    if (!this.#asking) throw new Error('nobody has asked yet');
    return this.#asking.dialect?.errors ?? this.#asking.provider.api;
  }

  /** A fault of weir's own lets a call go on as it came: it is written down all the same. */
  async passAsItCame(): Promise<void> {
    if (!this.#arrival || this.#forwarded || this.#record?.outcome !== 'interrupted') return;
    this.#note({ errorCode: 'weir_failed' });
    await this.#forward(this.#arrival);
  }

  #refuse(refusal: Refusal): ForwardDecision {
    const answer = refusalAnswer(this.#errors(), refusal, this.id);
    this.#note({
      outcome: 'denied',
      status: answer.status,
      errorCode: refusal.code,
      costUsd: '0',
      attempts: 0,
    });
    this.#closeNow();
    return { kind: 'answer', answer };
  }

  #give({ given, cache }: Giving): ForwardDecision {
    this.#lookup?.count(cache, given.answer);
    this.#note(givenFields(given.answer, cache));
    this.#closeNow();
    const headers = { ...givenHeaders(given, cache, this.#services.now()), ...this.#headers() };
    return { kind: 'answer', answer: { status: given.answer.status, headers, body: given.body } };
  }

  /** What came of waiting for an equal call. */
  async #followed(followed: Followed, inspection: Inspection, received: Buffer): Promise<ForwardDecision> {
    if (followed.kind === 'given') return this.#give(followed);
    if (followed.kind === 'forward' && this.#admission?.denial) return this.#deny(this.#admission);
    if (followed.kind === 'forward') return this.#ask(inspection, received);
    const close = (fields: Partial<UsageRecord>) => {
      this.#note(fields);
      this.#closeNow();
    };
    const { relay, now } = this.#services;
    if (followed.kind === 'left' || !relay) {
      close(leftFields);
      return { kind: 'forward', edit: { set: {}, remove: [] } };
    }
    this.#isServed = true;
    this.#note({ firstChunkMs: now() - this.#startedAt });
    const { serving, told } = serveStream(followed, this.#headers());
    this.#closing(told.then(close));
    const edit = relay.offer(serving);
    return { kind: 'forward', edit, body: Buffer.alloc(0) };
  }

  /** What every caller is told. */
  #headers(): Record<string, string> {
    const standing = this.#admission?.standing ?? null;
    return {
      ...ownHeaders(this.id, this.#arrival, { lookup: this.#lookup, standing, now: this.#services.now() }),
      ...this.#routed?.headers,
    };
  }

  #keep(record: UsageRecord, { ended, head, observation }: Reply): void {
    if (!ended || this.#inspected?.changes.translated?.failed || this.#attempts?.isStandIn) return;
    const kept = this.#lookup?.end(record, observation, head);
    if (kept) this.#closing(kept);
  }

  #note(fields: Partial<UsageRecord>): void {
    if (this.#record) this.#record = { ...this.#record, ...fields };
  }

  #closeNow(): void {
    if (this.#record) this.#close({ ...this.#record, endedAt: this.#services.now() });
  }

  #close(record: UsageRecord): void {
    if (this.#admission)
      closeAdmission(this.#admission, record, this.#inspected?.facts.textChars ?? 0, this.#services);
    this.#services.ledger.close(record);
    logCall(this.#services.log, record);
  }
}
