/** Failures in a row that open the breaker. */
const failuresToOpen = 3;
/** How long it stays open before one call may try again. */
const openMs = 1_000;

/** Keeps calls from waiting for something that does not answer. */
export class Breaker {
  readonly #now: () => number;
  #failures = 0;
  #openUntil = 0;

  constructor(options: { now: () => number }) {
    this.#now = options.now;
  }

  /** Rejects at once while open. `isAnswer` tells rejections that are answers from failures. */
  async run<T>(work: () => Promise<T>, isAnswer: (error: unknown) => boolean = () => false): Promise<T> {
    const now = this.#now();
    if (now < this.#openUntil) throw new Error('not asked: it did not answer lately');
    // While half open, one call at a time may try.
    if (this.#failures >= failuresToOpen) this.#openUntil = now + openMs;
    try {
      const result = await work();
      this.#close();
      return result;
    } catch (error) {
      if (isAnswer(error)) this.#close();
      else if (++this.#failures >= failuresToOpen) this.#openUntil = this.#now() + openMs;
      throw error;
    }
  }

  #close(): void {
    this.#failures = 0;
    this.#openUntil = 0;
  }
}
