/** One place of a cache, for one key: an answer is kept from its end on, and not renewed when it is given. */
export class Shelf {
  readonly #ttlMs: number;
  #until = Number.NEGATIVE_INFINITY;

  constructor(ttlMs: number) {
    this.#ttlMs = ttlMs;
  }

  /** Whether a call would have been answered from here; one that is not leaves its answer. Epoch milliseconds. */
  ask(startedAt: number, endedAt: number): boolean {
    // One that comes while the first is under way shares its answer.
    if (startedAt < this.#until) return true;
    this.#until = endedAt + this.#ttlMs;
    return false;
  }

  clear(): void {
    this.#until = Number.NEGATIVE_INFINITY;
  }
}
