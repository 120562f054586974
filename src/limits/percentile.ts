/** Each step is so much larger than the one before. */
const base = 1.15;
const steps = 128;
/** When so many have come, all that came before count half: what is new counts more. */
const halfLife = 2_000;

/** Percentiles of numbers from 0 on, to 15 %, in little memory; the latest thousands count. */
export class Percentile {
  readonly #counts = new Float32Array(steps);
  #total = 0;

  add(value: number): void {
    const step = value <= 0 ? 0 : Math.min(steps - 1, Math.ceil(Math.log(value + 1) / Math.log(base)));
    this.#counts[step] = (this.#counts[step] ?? 0) + 1;
    this.#total++;
    if (this.#total < halfLife) return;
    for (const [at, count] of this.#counts.entries()) this.#counts[at] = count / 2;
    this.#total /= 2;
  }

  /** How many came, as far as they still count. */
  get count(): number {
    return this.#total;
  }

  /** A number that `share` of those that came do not exceed; 0 when none came. */
  at(share: number): number {
    let below = 0;
    for (const [step, count] of this.#counts.entries()) {
      below += count;
      if (below >= share * this.#total) return Math.ceil(base ** step) - 1;
    }
    return 0;
  }
}
