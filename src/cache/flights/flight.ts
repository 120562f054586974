import type { AnswerFacts, Dated, KeptAnswer, Place } from '../cache.ts';
import type { Ending, Recording } from '../recording.ts';

/** An answer that has begun to come as a stream, before its end is known. */
export interface Beginning extends Pick<AnswerFacts, 'status' | 'contentType' | 'path'> {
  /** It tells its usage, or will. */
  tellsUsage: boolean;
  /** What it repeats of the request, without which it is no answer to another. */
  labels: string;
  recording: Recording;
}

/**
 * How a call ended for those who wait for it.
 * - `answer`: it may be given to all of them.
 * - `unshared`: it is none that may be given to others, such as an error; who has read along knows it.
 * - `gone`: its caller hung up, or its process died: there is no answer.
 */
export type Landing =
  | { kind: 'answer'; answer: KeptAnswer }
  | { kind: 'unshared'; facts: AnswerFacts | null }
  | { kind: 'gone' };

export interface FlightPlan {
  place: Place;
  /** Names it among all: `<pid>-<random>.<number>`. */
  token: string;
  requestedModel: string | null;
  /** The newest purge that is known. */
  generation: number;
}

/** One call to the provider that equal calls wait for, made here or by another process. */
export class Flight {
  readonly plan: FlightPlan;
  readonly #landed = Promise.withResolvers<Landing>();
  readonly #begun = Promise.withResolvers<Beginning | null>();
  readonly #left: () => void;
  #beginning: Beginning | null = null;
  #landing: Landing | null = null;
  #followers = 0;

  /** `left`: nobody follows it any more. */
  constructor(plan: FlightPlan, left: () => void = () => {}) {
    this.plan = plan;
    this.#left = left;
  }

  /** Resolves when the first bytes of a stream are there; with null when it lands without. */
  get begun(): Promise<Beginning | null> {
    return this.#begun.promise;
  }

  get landed(): Promise<Landing> {
    return this.#landed.promise;
  }

  get landing(): Landing | null {
    return this.#landing;
  }

  /** What of it a purge may be about. */
  get dated(): Dated {
    const { requestedModel, generation } = this.plan;
    return { requestedModel, model: null, storedAt: Number.POSITIVE_INFINITY, generation };
  }

  /** All that came of it is here: somebody may begin to follow. */
  get isOpen(): boolean {
    return this.#landing === null && (this.#beginning?.recording.isHeld ?? true);
  }

  /** Followers retain what is recorded until they leave. */
  join(): void {
    if (++this.#followers === 1) this.#beginning?.recording.retain();
  }

  leave(): void {
    if (--this.#followers > 0) return;
    this.#beginning?.recording.release();
    this.#left();
  }

  begin(beginning: Beginning): void {
    if (this.#beginning || this.#landing) return;
    this.#beginning = beginning;
    if (this.#followers > 0) beginning.recording.retain();
    this.#begun.resolve(beginning);
  }

  /** `ending`: of the bytes that were read along. */
  land(landing: Landing, ending: Ending): void {
    if (this.#landing) return;
    this.#landing = landing;
    this.#beginning?.recording.end(ending);
    this.#begun.resolve(null);
    this.#landed.resolve(landing);
  }
}
