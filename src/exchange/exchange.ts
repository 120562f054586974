import type { CachedAnswer } from '../cache/cache.ts';
import type { RequestFacts, StreamFilter } from '../dialects/dialect.ts';
import type { Refusal } from '../dialects/errors.ts';
import { ownCopy } from '../dialects/own-copy.ts';
import type { Admission } from '../limits/limits.ts';
import type { UsageRecord } from '../usage/record.ts';
import { admit, admitUnread, closeAdmission, limitedBy } from './admission.ts';
import { providerRefusal, unreadModelRefusal } from './allowed.ts';
import { hitAnswer, modelHeader, refusalAnswer } from './answers.ts';
import { type Arrival, arrive } from './arrival.ts';
import { Attempts } from './attempts.ts';
import { comparison, savingOf } from './baseline.ts';
import { type CacheControl, cacheControl } from './cache-control.ts';
import { denialRefusal, standingHeaders } from './denials.ts';
import { draftRecord, providerIds, targetFields } from './draft.ts';
import { uuidv7 } from './ids.ts';
import { answerToKeep, hitFields, hitHeaders, inForm, keyOf } from './keeping.ts';
import { learnFrom } from './learn.ts';
import { logCall } from './log.ts';
import type {
  BodyEdit,
  ForwardDecision,
  HeadDecision,
  ReplyChange,
  RequestHead,
  ResponseHead,
  ResponsePlan,
} from './messages.ts';
import { listing } from './model-list.ts';
import { type Observation, observe } from './observation.ts';
import { priceFields } from './pricing.ts';
import { type Routed, routeCall } from './routing.ts';
import type { Served } from './serve.ts';
import { type Servers, serversFor } from './servers.ts';
import type { Services } from './services.ts';
import { guessedUsage, replyFields, settle } from './settle.ts';
import { type Sent, send, type TranslatedReply } from './translation.ts';

/** A request larger than this is not held on to for counting: 8 MiB. */
const maxHeldBytes = 8 * 1024 * 1024;

export type StartExchange = (head: RequestHead) => Exchange;

/** A call that weir looks into, from the moment its body is read. */
interface Inspected {
  facts: RequestFacts;
  control: CacheControl;
  key: string;
  /** Held until the provider has told its numbers. */
  requestBody: Buffer | null;
  /** Set where weir asked for usage that the caller did not ask for, or where the reply is translated. */
  filter: StreamFilter | null;
  /** Set where the provider speaks another dialect than the caller. */
  reply: TranslatedReply | null;
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
  #arrival: Arrival | null = null;
  #inspected: Inspected | null = null;
  #admission: Admission | null = null;
  #record: UsageRecord | null = null;
  /** Set while a provider has the call. */
  #forwarded: Arrival | null = null;
  #response: ResponseHead | null = null;
  #observation: Observation | null = null;
  /** Set where the caller gets something else than the provider says. */
  #change: ReplyChange | null = null;
  #ended = false;
  #routed: Omit<Routed, 'bytes' | 'body'> | null = null;
  /** Who has it, or is about to. */
  #served: Served | null = null;
  /** Set where several may serve it. */
  #attempts: Attempts | null = null;

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
    const arrived = arrive(this.#head, this.#services);
    if (arrived.kind === 'refused')
      return { kind: 'answer', answer: refusalAnswer(arrived.api, arrived.refusal, this.id) };
    const { arrival } = arrived;
    this.#arrival = arrival;
    this.#record = draftRecord({
      id: this.id,
      head: this.#head,
      arrival,
      startedAt: this.#startedAt,
      fingerprint: arrival.credential === null ? null : this.#services.fingerprint(arrival.credential),
      processor: this.#services.limits.process,
    });
    const isRead = arrival.dialect !== null && !arrival.dialect.later;
    if (isRead) return { kind: 'read' };
    const { method, operation } = this.#record;
    const forbidden =
      (arrival.smart ? null : providerRefusal(arrival.access, arrival.target.provider)) ??
      unreadModelRefusal(arrival, { method, operation, isUpgrade: this.isUpgrade });
    if (forbidden) return this.#refuse(arrival, forbidden);
    this.#change = listing(this.#head, arrival, this.#services.aliases);
    if (this.#change) arrival.edit.remove.push('accept-encoding');
    const admission = await admitUnread(arrival, this.#record, this.#head.ip, this.#services);
    this.#admit(admission);
    return admission.denial ? this.#deny(arrival, admission) : this.#forward(arrival);
  }

  /** What is asked? Limits and the cache decide, in one round trip. */
  async body(received: Buffer): Promise<ForwardDecision> {
    const asking = this.#arrival;
    // It was let go at its head.
    if (this.#forwarded) return { kind: 'forward', edit: { set: {}, remove: [] } };
    if (!asking?.dialect || !this.#record)
      throw new Error('a body came for a call whose body was not asked for');
    const { cache, reader, fingerprint } = this.#services;

    const read = await reader.request(asking.dialect, received, asking.target.endpoint);
    if (!read) {
      return this.#refuse(asking, {
        code: 'invalid_json',
        message: 'We could not parse the JSON body of your request: the provider expects a JSON object.',
      });
    }
    const asked = { head: this.#head, arrival: asking, facts: read, bytes: received };
    const { bytes, body: changed, ...routed } = await routeCall(asked, this.#services);
    this.#routed = routed;
    this.#note({ requestedModel: read.model, ...routed.fields });
    if (routed.refusal) return this.#refuse(asking, routed.refusal);
    const serving = await serversFor({ ...asked, ...routed, bytes }, this.#services);
    if (serving.kind === 'refused') return this.#refuse(asking, serving.refusal);
    const [first] = serving.servers;
    const { arrival, facts } = first;
    if (arrival !== asking) this.#note(targetFields(arrival, fingerprint));
    const wish = cacheControl(this.#head.headers, arrival.policy.cache);
    const control = facts.repeatable ? wish : { ...wish, read: false, write: false };
    const key = keyOf({ head: this.#head, ...serving.kept }, fingerprint);
    this.#inspected = {
      facts,
      control,
      key,
      requestBody: null,
      filter: null,
      reply: null,
    };
    this.#note({
      stream: facts.stream,
      maxOutputTokens: facts.maxOutputTokens,
      temperature: facts.temperature,
      topP: facts.topP,
      reasoningEffort: facts.reasoningEffort,
      cacheKey: key,
      cacheExpiresAt: this.#startedAt + control.ttl,
      prefixHashes: facts.prefixHashes,
      cache: control.read ? 'miss' : 'bypass',
      ...(this.#record.user === null && { user: facts.user }),
    });
    const call = { arrival, record: this.#record, facts, bytes: bytes.length, ip: this.#head.ip };
    const [admission, found] = await Promise.all([
      admit(call, this.#services),
      control.read ? cache.get(key) : null,
    ]);
    const kept = found && inForm(found, { facts: read, arrival: asking });
    this.#admit(admission);
    if (admission.denial && !(kept && admission.passesHits)) return this.#deny(asking, admission);
    if (kept) return this.#hit(arrival, kept);
    if (control.only) {
      return this.#refuse(asking, {
        code: 'cache_miss',
        message: 'The answer is not in the cache, and x-weir-cache: only forbids asking the provider.',
      });
    }
    if (serving.servers.length > 1) return this.#forwardAttempts(serving);
    const sent = await this.#send(first, bytes);
    if (sent.kind === 'refused') return this.#refuse(asking, sent.refusal);
    return this.#forward(arrival, sent.body ?? changed ?? undefined);
  }

  /** What the provider gets, whose reply is then read and told accordingly. */
  async #send(served: Served, bytes: Buffer): Promise<Sent> {
    const asking = this.#routed?.arrival ?? served.arrival;
    const sent = await send(bytes, served, { id: this.id, asking }, this.#services);
    if (sent.kind === 'refused' || !this.#inspected) return sent;
    const { filter, reply, counted } = sent;
    Object.assign(this.#inspected, { facts: served.facts, filter, reply });
    this.#hold(counted);
    this.#change = reply;
    this.#served = served;
    this.#arrival = served.arrival;
    return sent;
  }

  /** For counting what the provider does not, if there is room for it. */
  #hold(body: Buffer): void {
    if (!this.#inspected) return;
    const { held } = this.#services;
    held.give(this.#inspected.requestBody?.length ?? 0);
    const fits = body.length <= maxHeldBytes && held.take(body.length);
    this.#inspected.requestBody = fits ? ownCopy(body) : null;
  }

  /** Envoy tries one after the other: each attempt asks what it is to send, and tells what came of it. */
  async #forwardAttempts(serving: Servers & { kind: 'served' }): Promise<ForwardDecision> {
    const attempts = new Attempts(
      {
        id: this.id,
        head: this.#head,
        goesTo: async (served, bytes, number) => {
          const sent = await this.#send(served, bytes);
          if (sent.kind === 'refused') throw new Error(sent.refusal.message);
          this.#note({ ...targetFields(served.arrival, this.#services.fingerprint), attempts: number });
          this.#forwarded = served.arrival;
          return sent.body;
        },
        record: () => this.#record,
        responseHead: (head) => this.#reply(head),
        responseBody: (bytes, ended) => this.responseBody(bytes, ended),
        note: (record) => this.#services.ledger.close(record),
        finish: () => this.#finish(),
      },
      serving,
      this.#services,
    );
    this.#attempts = attempts;
    this.#attempted.set(this.id, this);
    await this.#forward(serving.servers[0].arrival);
    return attempts.forward();
  }

  responseHead(head: ResponseHead): ResponsePlan {
    this.#attempts?.answered();
    if (this.#attempts?.accepted) return { observe: 'nothing', edit: { set: {}, remove: [] } };
    return this.#reply(head);
  }

  #reply(head: ResponseHead): ResponsePlan {
    this.#response = head;
    this.#observation?.release();
    const arrival = this.#arrival;
    this.#observation = observe(head, arrival, this.#services, this.#inspected?.control.write ?? false);
    this.#ended = this.#observation.observe === 'nothing';
    const filter = this.#observation.observe === 'chunks' ? (this.#inspected?.filter ?? null) : null;
    if (this.#inspected) this.#inspected.filter = filter;
    this.#note({ status: head.status, ...providerIds(head.headers) });
    if (!head.fromProvider) this.#note({ errorCode: head.headers.get('x-weir-error') ?? 'upstream_error' });
    const set: Record<string, string> = { 'x-weir-id': this.id };
    if (arrival) set['x-weir-provider'] = arrival.target.provider;
    if (this.#record && this.#inspected) {
      set['x-weir-cache'] = this.#record.cache;
      if (this.#admission)
        Object.assign(set, standingHeaders(this.#admission.standing, this.#services.now()));
      Object.assign(set, modelHeader(this.#served?.model ?? null), this.#routed?.headers);
      if (this.#record.attempts > 1) set['x-weir-attempts'] = String(this.#record.attempts);
    }
    const edit = { set, remove: filter ? ['content-length'] : [] };
    const plan = this.#change?.plan(head, this.#observation.observe);
    if (!plan) return { observe: this.#observation.observe, edit };
    this.#response = this.#inspected?.reply?.head(head, filter !== null) ?? head;
    return { observe: plan.observe, edit: { ...edit, set: { ...set, ...plan.edit.set } } };
  }

  async responseBody(bytes: Buffer, ended: boolean): Promise<BodyEdit> {
    const observation = this.#observation;
    if (!observation) return {};
    if (this.#record?.firstChunkMs === null)
      this.#note({ firstChunkMs: this.#services.now() - this.#startedAt });
    const filter = this.#inspected?.filter;
    const whole = this.#change && !filter ? await this.#change.whole(bytes) : null;
    const visible = whole?.body ?? filter?.push(bytes, ended);
    const body = visible === bytes ? undefined : visible;
    await observation.push(bytes, visible ?? bytes).catch((error: unknown) => {
      this.#services.log.error({ err: error, exchange: this.id }, 'a reply could not be read');
    });
    if (!ended) return body ? { body } : {};
    // Before the caller has the end of it: who asks again at once gets this answer.
    this.#endReply(observation);
    const cost = this.#record?.costUsd ?? null;
    const saving = this.#record && savingOf(this.#record);
    const set: Record<string, string> = { ...whole?.headers?.set };
    if (observation.observe === 'whole' && cost !== null) {
      set['x-weir-cost-usd'] = cost;
      if (saving != null) set['x-weir-saved-usd'] = saving;
    }
    return {
      ...(body && { body }),
      ...(Object.keys(set).length > 0 && { headers: { set, remove: [] } }),
    };
  }

  /** The reply is whole: what it tells is written down, and it may be given again. */
  #endReply(observation: Observation): void {
    this.#ended = true;
    if (!this.#record || !this.#arrival) return;
    this.#note(replyFields(observation.facts(), this.#record));
    this.#note(priceFields(this.#record, this.#arrival, this.#services.pricer));
    this.#note(comparison(this.#record, this.#routed, this.#services));
    this.#keep(this.#record, observation);
  }

  /** The side stream is over, with or without an end of the reply. What is left to do goes on behind. */
  end(): void {
    if (this.#attempts) this.#attempts.callEnded();
    else this.#finish();
  }

  #finish(): void {
    this.#attempted.delete(this.id);
    const forwarded = this.#forwarded;
    // Nothing but what was forwarded can have used anything.
    if (!forwarded) this.#admission?.close('free');
    if (!forwarded || !this.#record) return;
    this.#forwarded = null;
    // Some clients hang up as soon as they have read the last event: that is an end as well.
    if (!this.#ended && this.#observation?.facts().complete) this.#endReply(this.#observation);
    const call = {
      record: { ...this.#record, endedAt: this.#services.now() },
      arrival: forwarded,
      requestBody: this.#inspected?.requestBody ?? null,
      textChars: this.#inspected?.facts.textChars ?? 0,
      response: this.#response,
      observation: this.#observation,
      ended: this.#ended,
      routed: this.#routed,
    };
    this.#closing(
      settle(call, this.#services)
        .then((record) => {
          this.#close(record);
          learnFrom(record, call, this.#services);
          // What it costs is known only now.
          if (record.usageSource !== 'provider' && call.observation) this.#keep(record, call.observation);
        })
        .finally(() => {
          this.#admission?.close('free');
          call.observation?.release();
          this.#services.held.give(call.requestBody?.length ?? 0);
        }),
    );
  }

  /** Goes on to the provider: from here on the call leaves a trace, whatever happens. */
  async #forward(arrival: Arrival, body?: Buffer): Promise<ForwardDecision> {
    if (this.#record) {
      const { facts } = this.#inspected ?? {};
      await this.#services.ledger.open({ ...this.#record, ...(facts && guessedUsage(facts.textChars)) });
    }
    this.#forwarded = arrival;
    return { kind: 'forward', edit: arrival.edit, ...(body && { body }) };
  }

  #admit(admission: Admission): void {
    this.#admission = admission;
    this.#note({ limitedBy: limitedBy(admission) });
  }

  #deny(arrival: Arrival, { denial, standing }: Admission): ForwardDecision {
    if (!denial) throw new Error('nothing denies this call');
    const api = arrival.dialect?.errors ?? arrival.provider.api;
    return this.#refuse(arrival, denialRefusal(denial, standing, api, this.#services.now()));
  }

  /** A fault of weir's own lets a call go on as it came: it is written down all the same. */
  async passAsItCame(): Promise<void> {
    if (!this.#arrival || this.#forwarded || this.#record?.outcome !== 'interrupted') return;
    this.#note({ errorCode: 'weir_failed' });
    await this.#forward(this.#arrival);
  }

  #refuse(arrival: Arrival, refusal: Refusal): ForwardDecision {
    const answer = refusalAnswer(arrival.dialect?.errors ?? arrival.provider.api, refusal, this.id);
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

  #hit(arrival: Arrival, kept: CachedAnswer): ForwardDecision {
    this.#note(hitFields(kept));
    this.#closeNow();
    const standing = this.#admission ? standingHeaders(this.#admission.standing, this.#services.now()) : {};
    const headers = {
      ...hitHeaders(kept, { id: this.id, provider: arrival.target.provider, standing }),
      ...this.#routed?.headers,
    };
    return { kind: 'answer', answer: hitAnswer(kept, headers) };
  }

  #keep(record: UsageRecord, observation: Observation): void {
    const { cache, now } = this.#services;
    const inspected = this.#inspected;
    if (!inspected?.control.write || !this.#ended || inspected.reply?.failed) return;
    if (this.#attempts?.isStandIn) return;
    const answer = answerToKeep(record, observation, this.#response, now());
    if (answer) this.#closing(cache.set(inspected.key, answer, inspected.control.ttl));
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
