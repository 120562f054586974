import type { ProviderConfig } from '../config/schema.ts';
import type { RequestFacts } from '../dialects/dialect.ts';
import type { Refusal } from '../dialects/errors.ts';
import type { Admission } from '../limits/limits.ts';
import type { UsageRecord } from '../usage/record.ts';
import { closeAdmission, limitedBy } from './admission.ts';
import { ownHeaders, refusalAnswer } from './answers.ts';
import type { Arrival } from './arrival.ts';
import type { Attempts } from './attempts.ts';
import { denialRefusal } from './denials.ts';
import { uuidv7 } from './ids.ts';
import { givenFields, givenHeaders } from './keeping.ts';
import { logCall } from './log.ts';
import type { Giving, Lookup } from './lookup.ts';
import type { ForwardDecision, ReplyChange, RequestHead } from './messages.ts';
import type { Changes, Reply } from './reply.ts';
import type { Routed } from './routing.ts';
import type { Services } from './services.ts';

/** A call that weir looks into, from the moment its body is read. */
interface Inspected {
  facts: RequestFacts;
  /** Its name at who serves it. */
  model: string | null;
  /** Held until the provider has told its numbers. */
  requestBody: Buffer | null;
  changes: Changes;
}

/** One call as far as it has come: what is known of it, what the caller is told, and what is written down. */
export class Call {
  readonly id: string;
  readonly head: RequestHead;
  readonly services: Services;
  /** Takes what goes on behind the call. */
  readonly closing: (work: Promise<void>) => void;
  /** The attempts that Envoy makes, by the ids of their calls. */
  readonly attempted: Map<string, Attempts>;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  /** As the caller asks, and as it goes to who serves it. */
  asking: Arrival | null = null;
  arrival: Arrival | null = null;
  lookup: Lookup | null = null;
  inspected: Inspected | null = null;
  routed: Omit<Routed, 'bytes' | 'body'> | null = null;
  admission: Admission | null = null;
  record: UsageRecord | null = null;
  /** Set while a provider has the call. */
  forwarded: Arrival | null = null;
  /** Set where several may serve it. */
  attempts: Attempts | null = null;
  /** Set where it asks for a list of models that weir's own names go into. */
  listing: ReplyChange | null = null;
  reply: Reply | null = null;
  /** The answer is a stream of weir's own. */
  isServed = false;

  constructor(
    head: RequestHead,
    services: Services,
    closing: (work: Promise<void>) => void,
    attempted: Map<string, Attempts>,
  ) {
    this.head = head;
    this.services = services;
    this.closing = closing;
    this.attempted = attempted;
    this.startedAt = services.now();
    this.id = uuidv7(this.startedAt);
  }

  note(fields: Partial<UsageRecord>): void {
    if (this.record) this.record = { ...this.record, ...fields };
  }

  admit(admission: Admission): void {
    this.admission = admission;
    this.note({ limitedBy: limitedBy(admission) });
  }

  deny({ denial, standing }: Admission): ForwardDecision {
    if (!denial) throw new Error('nothing denies this call');
    return this.refuse(denialRefusal(denial, standing, this.#errors(), this.services.now()));
  }

  refuse(refusal: Refusal): ForwardDecision {
    const answer = refusalAnswer(this.#errors(), refusal, this.id);
    this.close({
      outcome: 'denied',
      status: answer.status,
      errorCode: refusal.code,
      costUsd: '0',
      attempts: 0,
    });
    return { kind: 'answer', answer };
  }

  /** An answer that another call brought. */
  give({ given, cache }: Giving): ForwardDecision {
    this.lookup?.count(cache, given.answer);
    this.close(givenFields(given.answer, cache));
    const headers = { ...givenHeaders(given, cache, this.services.now()), ...this.headers() };
    return { kind: 'answer', answer: { status: given.answer.status, headers, body: given.body } };
  }

  /** What every caller is told. */
  headers(): Record<string, string> {
    const standing = this.admission?.standing ?? null;
    return {
      ...ownHeaders(this.id, this.arrival, { lookup: this.lookup, standing, now: this.services.now() }),
      ...this.routed?.headers,
    };
  }

  /** It is over now, and this is the last that is known of it. */
  close(fields: Partial<UsageRecord>): void {
    this.note(fields);
    if (this.record) this.writeDown({ ...this.record, endedAt: this.services.now() });
  }

  /** Its record is finished. */
  writeDown(record: UsageRecord): void {
    if (this.admission)
      closeAdmission(this.admission, record, this.inspected?.facts.textChars ?? 0, this.services);
    this.services.ledger.close(record);
    logCall(this.services.log, record);
  }

  /** In whose form the caller expects errors. */
  #errors(): ProviderConfig['api'] {
    if (!this.asking) throw new Error('nobody has asked yet');
    return this.asking.dialect?.errors ?? this.asking.provider.api;
  }
}
