import type { LimitConfig } from '../config/policy/limits.ts';
import type { Asker } from './asker.ts';
import { type Counted, shareOf, stateOf } from './counted.ts';
import { createOwnWindows } from './own-windows.ts';
import type { Processes } from './processes.ts';

/** Counts `amount` if it fits; the command for the store is sent in this tick. Never rejects. */
export type TokenWindows = (limit: LimitConfig, key: string, amount: number) => Promise<Counted>;

interface Taken {
  fits: boolean;
  used: number;
  most: number;
  resetMs: number;
  /** Within the window that was counted in. */
  change(delta: number): void;
}

/**
 * Tokens in fixed windows, each beginning with its first call. What a call may use is counted before it, and
 * corrected after it within the same window. Over Redis all processes count together; while it is away each
 * lets its share pass.
 */
export function createTokenWindows(redis: Asker | null, processes: Processes): TokenWindows {
  const ownWindow = createOwnWindows();

  function takeAlone(limit: LimitConfig, key: string, amount: number, sharers: number): Taken {
    const window = ownWindow(key, limit.window ?? 0);
    const most = shareOf(limit.tokens ?? 0, sharers);
    const fits = window.used + amount <= most || limit.shadow === true;
    if (fits) window.used += amount;
    const change = (delta: number) => {
      window.used += delta;
    };
    return { fits, used: window.used, most, resetMs: window.endsAt - Date.now(), change };
  }

  async function take(limit: LimitConfig, key: string, amount: number): Promise<Taken> {
    if (!redis) return takeAlone(limit, key, amount, 1);
    const { tokens = 0, window = 0, shadow = false } = limit;
    const storeKey = `weir:tokens:${key}`;
    const force = shadow ? 1 : 0;
    try {
      const [fits, used, resetMs] = await redis.ask(() =>
        redis.client.weirTake(storeKey, amount, tokens, window, force),
      );
      const change = (delta: number) => redis.tell(() => redis.client.weirAdjust(storeKey, delta, resetMs));
      return { fits: fits === 1, used, most: tokens, resetMs, change };
    } catch {
      return takeAlone(limit, key, amount, processes.count());
    }
  }

  return async (limit, key, amount) => {
    const { fits, used, most, resetMs, change } = await take(limit, key, amount);
    const { tokens = 0 } = limit;
    return {
      state: stateOf(limit, 'tokens', { limit: tokens, remaining: most - used, resetMs }),
      exceeded: !fits || used > most,
      never: amount > tokens,
      correct(actual) {
        if (fits && actual !== amount) change(actual - amount);
      },
    };
  };
}
