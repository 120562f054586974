import { isDeepStrictEqual } from 'node:util';
import { names } from '../envoy/inputs.ts';
import type { UsageRecord } from '../usage/record.ts';
import { Attempt } from './attempt.ts';
import { attemptRecord, type Failure } from './attempt-record.ts';
import type {
  BodyEdit,
  ForwardDecision,
  HeaderEdit,
  RequestHead,
  ResponseHead,
  ResponsePlan,
} from './messages.ts';
import type { Served } from './serve.ts';
import type { Servers } from './servers.ts';
import type { Services } from './services.ts';

/** What attempts need of the call that they are made for. */
export interface Attempted {
  readonly id: string;
  readonly head: RequestHead;
  /** From now on this one has the call: what its provider gets, and what its head shall be, from the one that the caller sent. */
  goesTo(served: Served, bytes: Buffer, number: number): Promise<{ body: Buffer; edit: HeaderEdit }>;
  /** The record as it stands. */
  record(): UsageRecord | null;
  responseHead(head: ResponseHead): ResponsePlan;
  responseBody(bytes: Buffer, ended: boolean): Promise<BodyEdit>;
  /** So many have been tried by now. */
  tried(count: number): void;
  /** Writes down an attempt that another has replaced. */
  note(record: UsageRecord): void;
  /** Neither the call nor an attempt of it goes on. */
  finish(): void;
}

/** The attempts of one call, one after the other. Envoy makes them, in the order that the call told it. */
export class Attempts {
  readonly #call: Attempted;
  readonly #servers: Extract<Servers, { kind: 'served' }>;
  readonly #services: Services;
  #open = 0;
  /** The number of the last one that asked what to send. */
  #started = 0;
  #callEnded = false;
  /** It got no answer: that was its provider's fault if the call goes on, and the caller's if not. */
  #unanswered: Failure | null = null;
  #accepted: Attempt | null = null;

  constructor(call: Attempted, servers: Extract<Servers, { kind: 'served' }>, services: Services) {
    this.#call = call;
    this.#servers = servers;
    this.#services = services;
  }

  /** What tells Envoy of them. */
  forward(): ForwardDecision {
    const { servers, firstByteTimeoutMs } = this.#servers;
    const { edit } = servers[0].arrival;
    const { [names.clusterHeader]: _, ...set } = edit.set;
    const { worker, address } = this.#services;
    const clusters = servers.map(({ arrival }) => names.attemptCluster(worker, arrival.target.provider));
    const headers = {
      [names.planHeader]: 'yes',
      [names.exchangeHeader]: this.#call.id,
      'x-envoy-max-retries': String(servers.length - 1),
      ...(firstByteTimeoutMs !== null && {
        'x-envoy-upstream-rq-per-try-timeout-ms': String(Math.max(1, Math.round(firstByteTimeoutMs))),
      }),
    };
    const plan = { clusters, processor: worker === null ? address : null };
    return { kind: 'forward', edit: { set: { ...set, ...headers }, remove: edit.remove }, plan };
  }

  get firstByteTimeoutMs(): number | null {
    return this.#servers.firstByteTimeoutMs;
  }

  /** An answer has begun, and Envoy will not try another. */
  get accepted(): boolean {
    return this.#accepted !== null;
  }

  /** The answer of the last attempt is not that of the one whose answers are kept and shared. */
  get isStandIn(): boolean {
    const { servers, kept, standIns } = this.#servers;
    const served = servers[this.#started - 1] ?? servers[0];
    // What others get of it is made from what the first one says: as it came, or translated.
    const isAlike = (served.translation === null) === (kept.translation === null);
    return this.#started > standIns || !isAlike;
  }

  /** Its Envoy is the one that brought the call. */
  isOf({ workload }: RequestHead): boolean {
    return isDeepStrictEqual(workload ?? null, this.#call.head.workload ?? null);
  }

  start(head: RequestHead): Attempt {
    const number = Number(head.headers.get('x-envoy-attempt-count') ?? 1);
    const served = this.#servers.servers[number - 1];
    if (!served) throw new Error(`the call has no attempt ${number}`);
    this.#unseen(number - 1);
    this.#replaced();
    this.#accepted = null;
    this.#started = number;
    this.#open++;
    return new Attempt({
      number,
      isLast: number >= this.#servers.servers.length,
      served,
      head,
      call: this.#call,
      attempts: this,
      services: this.#services,
    });
  }

  /** `well`: who has answered well. */
  accept(attempt: Attempt, well: Served | null): void {
    this.#accepted = attempt;
    if (well) this.#learn(well, true);
  }

  /** Its provider answered, and not well: Envoy tries the next. */
  failed(failure: Failure): void {
    if (failure.restMs !== null) this.#rest(failure.served, failure.restMs);
    this.#learn(failure.served, false);
    this.#write(failure);
  }

  ended(unanswered: Failure | null): void {
    this.#open--;
    if (unanswered) this.#unanswered = unanswered;
    if (this.#callEnded && this.#open === 0) this.#call.finish();
  }

  /** The caller gets a head: of an attempt that was accepted, or Envoy's own when none was. */
  answered(): void {
    this.#replaced();
    if (!this.accepted) this.#unseen(this.#servers.servers.length);
  }

  callEnded(): void {
    this.#callEnded = true;
    if (this.#open === 0) this.#call.finish();
  }

  /** Attempts that were over before they could ask: nobody listened there. */
  #unseen(until: number): void {
    const at = this.#services.now();
    const nothing = { startedAt: at, endedAt: at, status: null, error: 'no_answer', restMs: null };
    for (const served of this.#servers.servers.slice(this.#started, until))
      this.failed({ ...nothing, served, billed: 'no' });
    this.#started = Math.max(this.#started, until);
    if (this.#started > 0) this.#call.tried(this.#started);
  }

  #replaced(): void {
    const failure = this.#unanswered;
    this.#unanswered = null;
    if (failure) this.failed(failure);
  }

  #write(failure: Failure): void {
    const record = this.#call.record();
    if (record) this.#call.note(attemptRecord(record, failure, this.#services));
  }

  #rest({ arrival, model }: Served, ms: number): void {
    this.#services.routing?.paces.rest(arrival.target.provider, model ?? '', ms);
  }

  #learn({ arrival, model, facts }: Served, good: boolean): void {
    const { stream } = facts;
    const outcome = good ? ('good' as const) : ('away' as const);
    const measured = { stream, outcome, firstMs: 0, durationMs: 0, outputTokens: 0 };
    const { provider } = arrival.target;
    const { organization } = arrival.caller;
    this.#services.routing?.paces.learn({ provider, model: model ?? '', organization, ...measured });
  }
}
