import type { ByteBudget } from './byte-budget.ts';
import { ByteStore } from './byte-store.ts';

/** More of an answer that others read along is not held: 8 MiB. */
const maxSharedBytes = 8 * 1024 * 1024;

/** How the bytes of an answer ended: the provider ended them, or they broke off. */
export type Ending = 'whole' | 'broken';

/**
 * The bytes of one answer as they come, in the pieces in which they come: for whoever reads along, and to be
 * kept. Takes from the budget of all recordings, and lets go of everything when that, or its own bound, is
 * reached; else when the last of those that retain it has released it.
 */
export class Recording {
  readonly #held: ByteBudget;
  readonly #maxBytes: number;
  #store: ByteStore | null = new ByteStore();
  /** Where each piece ends. */
  #ends: number[] = [];
  #ending: Ending | null = null;
  /** Its maker is the first. */
  #retained = 1;
  #waiting: (() => void)[] = [];

  /** `maxBytes`: what is held at most while nobody else retains it. */
  constructor(held: ByteBudget, maxBytes: number) {
    this.#held = held;
    this.#maxBytes = maxBytes;
  }

  /** Pieces so far. */
  get length(): number {
    return this.#ends.length;
  }

  /** All that came is still here. */
  get isHeld(): boolean {
    return this.#store !== null;
  }

  get ending(): Ending | null {
    return this.#ending;
  }

  append(piece: Uint8Array): void {
    if (!this.#store || this.#ending || piece.length === 0) return;
    const bytes = this.#store.length + piece.length;
    const more = this.#store.growth(piece.length);
    if (bytes > (this.#retained > 1 ? maxSharedBytes : this.#maxBytes) || !this.#held.take(more)) {
      this.#letGo();
      return;
    }
    this.#store.append(piece);
    this.#ends.push(bytes);
    this.#wake();
  }

  end(ending: Ending): void {
    this.#ending ??= ending;
    this.#wake();
  }

  /** The pieces from `from` on; null when they are let go. */
  pieces(from = 0): Buffer[] | null {
    const store = this.#store;
    return store && this.#ends.slice(from).map((end, at) => store.slice(this.#ends[from + at - 1] ?? 0, end));
  }

  retain(): void {
    this.#retained++;
  }

  release(): void {
    if (--this.#retained === 0) this.#letGo();
  }

  /**
   * The pieces from `from` on, those that are here at once together, until the end; returns how it ended.
   * Who reads retains it. `stop` ends the reading.
   */
  async *read(from: number, stop: AbortSignal): AsyncGenerator<Buffer[], Ending> {
    const wake = () => this.#wake();
    stop.addEventListener('abort', wake);
    try {
      for (let at = from; !stop.aborted; ) {
        const pieces = this.pieces(at);
        if (!pieces) break;
        if (pieces.length > 0) {
          at += pieces.length;
          yield pieces;
        } else if (this.#ending) return this.#ending;
        else await new Promise<void>((resolve) => this.#waiting.push(resolve));
      }
      return 'broken';
    } finally {
      stop.removeEventListener('abort', wake);
    }
  }

  #letGo(): void {
    this.#held.give(this.#store?.capacity ?? 0);
    this.#store = null;
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
