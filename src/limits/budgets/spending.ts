import type { Amount } from '../limits.ts';

/** What one process has spent in a place, by bucket, and how much of it the truth has been told. */
export class Spending {
  /** Before this account of it was opened; null: the truth was not asked yet. */
  #before: ReadonlyMap<number, Amount> | null = null;
  readonly #since = new Map<number, Amount>();
  readonly #untold = new Set<number>();
  #sum: Amount = 0n;

  add(bucket: number, used: Amount): void {
    if (used === 0n) return;
    this.#since.set(bucket, (this.#since.get(bucket) ?? 0n) + used);
    this.#untold.add(bucket);
    this.#sum += used;
  }

  /** All that was added, ever. */
  get sum(): Amount {
    return this.#sum;
  }

  /** What was before is known, so that totals can be told. */
  get isOpen(): boolean {
    return this.#before !== null;
  }

  get isTold(): boolean {
    return this.#untold.size === 0;
  }

  /** Totals of the buckets that have changed; none as long as what was before is not known. */
  news(): Map<number, Amount> {
    const before = this.#before;
    if (!before) return new Map();
    const total = (bucket: number) => (before.get(bucket) ?? 0n) + (this.#since.get(bucket) ?? 0n);
    return new Map([...this.#untold].map((bucket) => [bucket, total(bucket)]));
  }

  /** The truth has heard `news`, and tells what it knew before. */
  told(news: ReadonlyMap<number, Amount>, before: ReadonlyMap<number, Amount>): void {
    const now = this.news();
    for (const [bucket, total] of news) if (now.get(bucket) === total) this.#untold.delete(bucket);
    this.#before ??= before;
  }

  /** What was told is lost: all is news. */
  retell(): void {
    for (const bucket of this.#before?.keys() ?? []) this.#untold.add(bucket);
    for (const bucket of this.#since.keys()) this.#untold.add(bucket);
  }
}
