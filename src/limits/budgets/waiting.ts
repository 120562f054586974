import type { Amount } from '../limits.ts';

/** `away`: the truth does not answer, or the budget is being summed up. */
export type Reserved = 'ok' | 'denied' | 'away';

export interface Waiting {
  amount: Amount;
  /** When it stops waiting. */
  until: number;
  decide(how: Reserved): void;
}

/** Calls that wait for what the truth says, the first first. */
export class WaitingCalls {
  #calls: Waiting[] = [];

  get isEmpty(): boolean {
    return this.#calls.length === 0;
  }

  /** What they need together. */
  get needed(): Amount {
    return this.#calls.reduce((sum, { amount }) => sum + amount, 0n);
  }

  /** `until`: when it stops waiting. */
  wait(amount: Amount, until: number): Promise<Reserved> {
    return new Promise((decide) => this.#calls.push({ amount, until, decide }));
  }

  takeAll(): Waiting[] {
    const calls = this.#calls;
    this.#calls = [];
    return calls;
  }

  /** Those that have waited for too long. */
  takeLate(now: number): Waiting[] {
    const late = this.#calls.filter(({ until }) => until <= now);
    this.#calls = this.#calls.filter(({ until }) => until > now);
    return late;
  }

  /** Before those that have come since. */
  putBack(calls: readonly Waiting[]): void {
    this.#calls = [...calls, ...this.#calls];
  }
}
