import type { AnswerFacts, KeptAnswer, Place } from '../cache/cache.ts';
import type { Beginning, Flight } from '../cache/flights/flight.ts';
import { sizeOf } from '../cache/pieces.ts';
import { type Ending, Recording } from '../cache/recording.ts';
import type { RequestFacts, StreamFilter } from '../dialects/dialect.ts';
import { withoutKeys } from '../identity/credentials.ts';
import type { CacheResult, UsageRecord } from '../usage/record.ts';
import type { Arrival } from './arrival.ts';
import { type CacheControl, cacheControl } from './cache-control.ts';
import { answerFacts, piecesToGive } from './keeping.ts';
import { keyOf } from './keying.ts';
import type { RequestHead, ResponseHead } from './messages.ts';
import type { Observation } from './observation.ts';
import { asksUsage } from './outgoing.ts';
import type { Services } from './services.ts';

/** An answer in the form in which the caller wants it. */
export interface Given {
  answer: KeptAnswer;
  contentType: string;
  body: Buffer;
}

export interface Giving {
  kind: 'given';
  given: Given;
  cache: 'hit' | 'coalesced';
}

/**
 * - `given`: the answer is here.
 * - `follow`: an equal call is under way.
 * - `forward`: the provider is asked.
 */
export type LookupResult = Giving | { kind: 'follow'; flight: Flight } | { kind: 'forward' };

export interface LookupCall {
  head: RequestHead;
  /** As the caller asks: an answer is kept in that form. */
  asking: { arrival: Arrival; facts: RequestFacts };
  /** As it goes to who serves it: that is what its key is of. */
  served: { arrival: Arrival; facts: RequestFacts };
  /** Makes what takes out of a stream what weir asks for and the caller does not; null: nothing is to be taken out. */
  filter: (() => StreamFilter) | null;
}

/** What the cache has to do with one call. */
export class Lookup {
  readonly control: CacheControl;
  /** null: its caller cannot be told from others. */
  readonly key: string | null;
  readonly #call: LookupCall;
  readonly #services: Pick<Services, 'cache' | 'relay' | 'held' | 'now' | 'fingerprint'>;
  readonly #generation: number;
  /** The one that this call makes, for others as well. */
  #flight: Flight | null = null;
  #recording: Recording | null = null;

  constructor(
    call: LookupCall,
    services: Pick<Services, 'cache' | 'relay' | 'held' | 'now' | 'fingerprint'>,
  ) {
    this.#call = call;
    this.#services = services;
    this.#generation = services.cache.generation();
    const { head, served } = call;
    this.key = keyOf({ head, ...served }, services.fingerprint);
    const control = cacheControl(head.headers, served.arrival.policy.cache, served.facts);
    this.control = this.key === null ? { ...control, read: false, write: false, share: false } : control;
  }

  /** As the ledger has it, as long as nothing is found. */
  get result(): CacheResult {
    return this.control.read && !this.control.shadow ? 'miss' : 'bypass';
  }

  /** Looks for an answer, or for an equal call; asks the hot tier in this tick. `instead`: this flight is gone. */
  async find(instead: Flight | null = null): Promise<LookupResult> {
    const { read, share, shadow } = this.control;
    if (!read && !share) return { kind: 'forward' };
    const place = this.#place();
    const question = { ...place, requestedModel: this.#call.served.facts.model, read, share, instead };
    let found = await this.#services.cache.ask(question);
    if (found.kind === 'answer') {
      if (shadow) this.#services.cache.count(place, 'would_be_hit', found.answer);
      const given = shadow ? null : this.give(found.answer);
      if (given) return { kind: 'given', given, cache: 'hit' };
      found = await this.#services.cache.ask({ ...question, read: false });
    }
    if (found.kind === 'follow') return found;
    if (found.kind === 'lead') this.#flight = found.flight;
    this.count('miss', null);
    return { kind: 'forward' };
  }

  /** What came of it, for the sums of the organization. */
  count(result: 'hit' | 'coalesced' | 'miss', answer: Pick<AnswerFacts, 'usage' | 'costUsd'> | null): void {
    if (this.result === 'miss') this.#services.cache.count(this.#place(), result, answer);
  }

  /** An answer in the form that this call wants; null: it is too old for it, or cannot be given so. */
  give(answer: KeptAnswer): Given | null {
    const { maxAge, minFresh } = this.control;
    const now = this.#services.now();
    if (answer.shadow || now - answer.storedAt > maxAge || answer.expiresAt - now < Math.max(minFresh, 0))
      return null;
    const { facts, arrival } = this.#call.asking;
    const { contentType, streamed, pieces } = answer;
    const { dialect, target } = arrival;
    if (dialect?.replay) {
      const wanted = {
        streamed: facts.stream,
        usage: this.#tellsAsAsked ? !facts.hidesUsage : null,
        labels: facts.labels,
        path: target.path,
      };
      const given = dialect.replay({ contentType, streamed, chunks: pieces }, wanted);
      return given && { answer, contentType: given.contentType, body: Buffer.concat(given.chunks) };
    }
    // Without it there is one form.
    const isSame = streamed === facts.stream && answer.path === this.#path;
    return isSame ? { answer, contentType, body: Buffer.concat(pieces) } : null;
  }

  /** Whether a stream that has begun is in the form that this call wants, so that it can be had as it comes. */
  canRead({ path, tellsUsage, labels }: Beginning): boolean {
    const { facts } = this.#call.asking;
    return (
      this.#services.relay !== null &&
      facts.stream &&
      path === this.#path &&
      (tellsUsage || facts.hidesUsage) &&
      labels === labelsOf(facts)
    );
  }

  /** A stream that comes, as this call gets it. */
  async *read({ recording }: Beginning, stop: AbortSignal): AsyncGenerator<Buffer[], Ending> {
    const filter = this.#call.filter?.();
    const reading = recording.read(0, stop);
    for (;;) {
      const next = await reading.next();
      if (!next.done) yield filter ? next.value.map((piece) => filter.push(piece, false)) : next.value;
      else {
        // Of a stream that broke, half an event is of no use.
        const rest = next.value === 'whole' && filter?.push(Buffer.alloc(0), true);
        if (rest && rest.length > 0) yield [rest];
        return next.value;
      }
    }
  }

  /** What a stream that comes is recorded in; null: nobody wants to have it. */
  record(): Recording | null {
    const { write, shadow } = this.control;
    if ((!write || shadow) && !this.#flight) return null;
    this.#recording ??= new Recording(this.#services.held, this.#call.served.arrival.policy.cache.max_bytes);
    return this.#recording;
  }

  /** The first bytes of a stream have come: those who wait for it may have it. */
  begin({ status, headers }: ResponseHead): void {
    if (!this.#flight || !this.#recording || status !== 200) return;
    this.#flight.begin({
      status,
      contentType: headers.get('content-type') ?? '',
      path: this.#path,
      tellsUsage: !this.#call.asking.facts.hidesUsage || this.#call.filter !== null,
      labels: labelsOf(this.#call.asking.facts),
      recording: this.#recording,
    });
  }

  /** The answer is here: it is kept, and given to those who wait, if it may be. */
  end(record: UsageRecord, observation: Observation, response: ResponseHead | null): Promise<void> | null {
    const { cache, now } = this.#services;
    const { arrival } = this.#call.asking;
    const flight = this.#flight;
    this.#flight = null;
    const facts = answerFacts(record, {
      contentType: response?.headers.get('content-type') ?? 'application/json',
      streamed: observation.observe === 'chunks',
      path: this.#path,
      requestedModel: this.#call.served.facts.model,
    });
    const pieces = piecesToGive(record, observation);
    const { write, shadow, ttl } = this.control;
    if (!write || !pieces) {
      if (flight) cache.land(flight, { kind: 'unshared', facts }, 'whole');
      return null;
    }
    const storedAt = now();
    const answer = {
      ...facts,
      pieces: shadow ? [] : pieces,
      storedAt,
      expiresAt: storedAt + ttl,
      generation: this.#generation,
      shadow,
    };
    if (sizeOf(pieces) <= arrival.policy.cache.max_bytes)
      return cache.keep({ place: this.#place(), dialect: arrival.dialect?.name ?? '', answer, flight });
    if (flight) cache.land(flight, { kind: 'answer', answer }, 'whole');
    return null;
  }

  /** The call came to no end. `failed`: the provider was not reached; the others would not reach it either. */
  abandon(failed: boolean): void {
    const flight = this.#flight;
    this.#flight = null;
    if (flight)
      this.#services.cache.land(
        flight,
        failed ? { kind: 'unshared', facts: null } : { kind: 'gone' },
        'broken',
      );
  }

  get #path(): string {
    return withoutKeys(this.#call.asking.arrival.target.path, 'all');
  }

  /** Whether usage is in a stream exactly when its caller asks for it: weir sees to that, unless the provider decides. */
  get #tellsAsAsked(): boolean {
    const { asking, served } = this.#call;
    return served.arrival.dialect !== asking.arrival.dialect || asksUsage(served.arrival.provider);
  }

  #place(): Place {
    return { organization: this.#call.served.arrival.caller.organization, key: this.key ?? '' };
  }
}

/** What the answer repeats of the request: a stream of another's would tell the other's. */
function labelsOf({ labels }: RequestFacts): string {
  return JSON.stringify(labels);
}
