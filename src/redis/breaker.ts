import { within } from './deadline.ts';

/** Pauses between probes: the first, and the longest. */
const firstProbeMs = 25;
const lastProbeMs = 1_000;

export interface BreakerOptions {
  /** What a call waits at most, milliseconds. */
  waitMs: number;
  /** Asks the other side for a sign of life. */
  probe(): Promise<unknown>;
  opened?(error: unknown): void;
  closed?(): void;
}

/**
 * Keeps calls from waiting for something that does not answer. One failure opens it: from then on calls are
 * rejected at once, until a probe that no call waits for has been answered in time.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  #open = false;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  /** Calls that wait for an answer. */
  readonly #waiting = new Set<(error: unknown) => void>();

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Runs `work`, which must begin before it first waits. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#open) throw new Error('not asked: it did not answer lately');
    const { promise: opened, reject } = Promise.withResolvers<never>();
    this.#waiting.add(reject);
    try {
      return await Promise.race([within(this.#options.waitMs, work()), opened]);
    } catch (error) {
      this.open(error);
      throw error;
    } finally {
      this.#waiting.delete(reject);
    }
  }

  /** It is known not to answer. */
  open(error: unknown): void {
    if (this.#open) return;
    this.#open = true;
    this.#options.opened?.(error);
    for (const reject of this.#waiting) reject(error);
    this.#probe(firstProbeMs);
  }

  /** It is known to answer. */
  close(): void {
    clearTimeout(this.#timer);
    if (!this.#open) return;
    this.#open = false;
    this.#options.closed?.();
  }

  /** Probes no more. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #probe(pauseMs: number): void {
    if (this.#stopped) return;
    const { waitMs, probe } = this.#options;
    // With jitter, so that not all processes ask at once.
    this.#timer = setTimeout(
      () => {
        within(waitMs, probe()).then(
          () => this.close(),
          () => this.#open && this.#probe(Math.min(pauseMs * 2, lastProbeMs)),
        );
      },
      pauseMs * (0.75 + Math.random() / 2),
    ).unref();
  }
}
