/** Failures in a row that open the breaker. */
const failuresToOpen = 3;
/** How long it stays open before one call may try again. */
const openMs = 1_000;

/** Keeps calls from waiting for something that does not answer. */
export class Breaker {
  readonly #now: () => number;
  #failures = 0;
  #openUntil = 0;

  /** `now`: milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Runs `work`, which must begin before it first waits; rejects at once while open. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const now = this.#now();
    if (now < this.#openUntil) throw new Error('not asked: it did not answer lately');
    // While half open, one call at a time may try.
    if (this.isOpen) this.#openUntil = now + openMs;
    try {
      const result = await work();
      this.close();
      return result;
    } catch (error) {
      this.#failures++;
      if (this.isOpen) this.#openUntil = this.#now() + openMs;
      throw error;
    }
  }

  /** Too many failures in a row, and no success since. */
  get isOpen(): boolean {
    return this.#failures >= failuresToOpen;
  }

  /** Forgets the failures: it is known to answer again. */
  close(): void {
    this.#failures = 0;
    this.#openUntil = 0;
  }
}
