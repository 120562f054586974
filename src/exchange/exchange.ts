import type { CachedAnswer } from '../cache/cache.ts';
import type { RequestFacts, StreamFilter } from '../dialects/dialect.ts';
import type { Refusal } from '../dialects/errors.ts';
import { ownCopy } from '../dialects/own-copy.ts';
import type { Admission } from '../limits/limits.ts';
import type { UsageRecord } from '../usage/record.ts';
import { admit, admitUnread, closeAdmission, limitedBy } from './admission.ts';
import { providerRefusal, unreadModelRefusal } from './allowed.ts';
import { hitAnswer, modelHeader, refusalAnswer } from './answers.ts';
import { type Arrival, arrive, isUnknown } from './arrival.ts';
import { comparison, savingOf } from './baseline.ts';
import { type CacheControl, cacheControl } from './cache-control.ts';
import { denialRefusal, standingHeaders } from './denials.ts';
import { draftRecord, providerIds } from './draft.ts';
import { uuidv7 } from './ids.ts';
import { answerToKeep, hitFields, hitHeaders, inForm, keyOf } from './keeping.ts';
import { learnFrom } from './learn.ts';
import { logCall } from './log.ts';
import type {
  BodyEdit,
  ForwardDecision,
  HeadDecision,
  RequestHead,
  ResponseHead,
  ResponsePlan,
} from './messages.ts';
import { type Observation, observe } from './observation.ts';
import { asksUsage } from './outgoing.ts';
import { priceFields } from './pricing.ts';
import { type Routed, routeCall } from './routing.ts';
import type { Services } from './services.ts';
import { guessedUsage, replyFields, settle } from './settle.ts';

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
  /** Set where weir asked for usage that the caller did not ask for. */
  filter: StreamFilter | null;
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
  #arrival: Arrival | null = null;
  #inspected: Inspected | null = null;
  #admission: Admission | null = null;
  #record: UsageRecord | null = null;
  /** Set while a provider has the call. */
  #forwarded: Arrival | null = null;
  #response: ResponseHead | null = null;
  #observation: Observation | null = null;
  #ended = false;
  #routed: Routed | null = null;

  constructor(head: RequestHead, services: Services, closing: (work: Promise<void>) => void) {
    this.#services = services;
    this.#head = head;
    this.#closing = closing;
    this.#startedAt = services.now();
    this.id = uuidv7(this.#startedAt);
    this.isUpgrade = head.headers.has('upgrade');
  }

  /** Who calls whom? Decides for calls whose body is of no interest. */
  async head(): Promise<HeadDecision> {
    if (isUnknown(this.#head, this.#services.providers))
      return { kind: 'forward', edit: { set: {}, remove: [] } };
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
    const { method, operation } = this.#record;
    const forbidden =
      (arrival.smart ? null : providerRefusal(arrival.access, arrival.target.provider)) ??
      (isRead ? null : unreadModelRefusal(arrival, { method, operation, isUpgrade: this.isUpgrade }));
    if (forbidden) return this.#refuse(arrival, forbidden);
    if (isRead) return { kind: 'read' };
    const admission = await admitUnread(arrival, this.#record, this.#head.ip, this.#services);
    this.#admit(admission);
    return admission.denial ? this.#deny(arrival, admission) : this.#forward(arrival);
  }

  /** What is asked? Limits and the cache decide, in one round trip. */
  async body(received: Buffer): Promise<ForwardDecision> {
    let arrival = this.#arrival;
    // It was let go at its head.
    if (this.#forwarded) return { kind: 'forward', edit: { set: {}, remove: [] } };
    if (!arrival?.dialect || !this.#record)
      throw new Error('a body came for a call whose body was not asked for');
    const { cache, reader, fingerprint } = this.#services;

    const read = await reader.request(arrival.dialect, received, arrival.target.endpoint);
    if (!read) {
      return this.#refuse(arrival, {
        code: 'invalid_json',
        message: 'We could not parse the JSON body of your request: the provider expects a JSON object.',
      });
    }
    const routed = await routeCall(
      { head: this.#head, arrival, facts: read, bytes: received },
      this.#services,
    );
    const { facts, bytes } = routed;
    this.#routed = routed;
    this.#note({ requestedModel: read.model, ...routed.fields });
    if (routed.refusal) return this.#refuse(arrival, routed.refusal);
    arrival = routed.arrival;
    this.#arrival = arrival;
    const wish = cacheControl(this.#head.headers, arrival.policy.cache);
    const control = facts.repeatable ? wish : { ...wish, read: false, write: false };
    const key = keyOf({ head: this.#head, arrival, facts }, fingerprint);
    const asking =
      facts.hidesUsage && asksUsage(arrival.provider) ? arrival.dialect?.askUsage?.(bytes) : null;
    this.#inspected = {
      facts,
      control,
      key,
      requestBody: bytes.length <= maxHeldBytes ? bytes : null,
      filter: asking?.filter() ?? null,
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
    const kept = found && inForm(found, { facts, arrival });
    this.#admit(admission);
    if (admission.denial && !(kept && admission.passesHits)) return this.#deny(arrival, admission);
    if (kept) return this.#hit(arrival, kept);
    if (control.only) {
      return this.#refuse(arrival, {
        code: 'cache_miss',
        message: 'The answer is not in the cache, and x-weir-cache: only forbids asking the provider.',
      });
    }
    return this.#forward(arrival, asking?.body ?? routed.body ?? undefined);
  }

  responseHead(head: ResponseHead): ResponsePlan {
    this.#response = head;
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
      Object.assign(set, modelHeader(this.#inspected.facts.model), this.#routed?.headers);
    }
    return { observe: this.#observation.observe, edit: { set, remove: filter ? ['content-length'] : [] } };
  }

  async responseBody(bytes: Buffer, ended: boolean): Promise<BodyEdit> {
    const observation = this.#observation;
    if (!observation) return {};
    if (this.#record?.firstChunkMs === null)
      this.#note({ firstChunkMs: this.#services.now() - this.#startedAt });
    const visible = this.#inspected?.filter?.push(bytes, ended);
    const body = visible === bytes ? undefined : visible;
    await observation.push(bytes, visible ?? bytes).catch((error: unknown) => {
      this.#services.log.error({ err: error, exchange: this.id }, 'a reply could not be read');
    });
    if (!ended) return body ? { body } : {};
    // Before the caller has the end of it: who asks again at once gets this answer.
    this.#endReply(observation);
    const cost = this.#record?.costUsd ?? null;
    const saving = this.#record && savingOf(this.#record);
    const headers = {
      set: { 'x-weir-cost-usd': cost ?? '', ...(saving != null && { 'x-weir-saved-usd': saving }) },
      remove: [],
    };
    return {
      ...(body && { body }),
      ...(observation.observe === 'whole' && cost !== null && !this.#arrival?.intercepted && { headers }),
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
    const { requestBody } = this.#inspected ?? {};
    if (this.#inspected && requestBody)
      this.#inspected.requestBody = this.#services.held.take(requestBody.length)
        ? ownCopy(requestBody)
        : null;
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
    if (!inspected?.control.write || !this.#ended) return;
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
