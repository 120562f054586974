import { LRUCache } from 'lru-cache';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import type { LimitConfig } from '../config/policy/limits.ts';
import type { Asker } from './asker.ts';
import { type Counted, shareOf, stateOf } from './counted.ts';
import type { LimitState } from './limits.ts';
import { createOwnWindows } from './own-windows.ts';
import type { Processes } from './processes.ts';

/** Windows that a process knows to be used up; for one that is forgotten the store is asked again. */
const maxUsedUp = 100_000;
/** So long it takes its own word for it: what refused calls have counted is given back. */
const usedUpMs = 1_000;
const keyPrefix = 'weir:limit';

/** What was counted at once. */
interface Batch {
  points: number;
  counted: Promise<{ used: number; resetMs: number; sharers: number; giveBack(): void }>;
}

export interface RequestWindows {
  /** The state of a window that is known to be used up. */
  usedUp(limit: LimitConfig, key: string): LimitState | null;
  /** Counts one request; the command for the store is sent in this tick. Never rejects. */
  count(limit: LimitConfig, key: string): Promise<Counted>;
}

/**
 * Requests in fixed windows, each beginning with its first request. Over Redis all processes count together;
 * while it is away each lets its share pass.
 */
export function createRequestWindows(redis: Asker | null, processes: Processes): RequestWindows {
  const usedUp = new LRUCache<string, { endsAt: number; until: number; requests: number }>({
    max: maxUsedUp,
  });
  // Each call brings the length of its window, and what it is compared with: a policy that changes begins nothing anew.
  const options = { keyPrefix, points: Number.MAX_SAFE_INTEGER, duration: 1 };
  const ownWindow = createOwnWindows();
  const shared = redis && new RateLimiterRedis({ ...options, storeClient: redis.client });

  function countAlone(key: string, points: number, windowMs: number, sharers: number) {
    const window = ownWindow(key, windowMs);
    window.used += points;
    const giveBack = () => {
      window.used -= 1;
    };
    return { used: window.used, resetMs: window.endsAt - Date.now(), sharers, giveBack };
  }

  async function countMany(key: string, points: number, windowMs: number) {
    if (!redis || !shared) return countAlone(key, points, windowMs, 1);
    try {
      const { consumedPoints: used, msBeforeNext: resetMs } = await redis.ask(() =>
        shared.consume(key, points, { customDuration: windowMs / 1000 }),
      );
      const giveBack = () => redis.tell(() => redis.client.weirAdjust(`${keyPrefix}:${key}`, -1, resetMs));
      return { used, resetMs, sharers: 1, giveBack };
    } catch {
      return countAlone(key, points, windowMs, processes.count());
    }
  }

  /** Requests that come at once are counted at once. */
  const batches = new Map<string, Batch>();

  function batchOf(key: string, windowMs: number): Batch {
    const known = batches.get(key);
    if (known) return known;
    const batch: Batch = {
      points: 0,
      counted: Promise.resolve().then(() => {
        batches.delete(key);
        return countMany(key, batch.points, windowMs);
      }),
    };
    batches.set(key, batch);
    return batch;
  }

  async function countOne(key: string, windowMs: number) {
    const batch = batchOf(key, windowMs);
    const place = ++batch.points;
    const { used, resetMs, sharers, giveBack } = await batch.counted;
    return { number: used - batch.points + place, resetMs, sharers, giveBack };
  }

  return {
    usedUp(limit, key) {
      const known = usedUp.get(key);
      const now = Date.now();
      if (!known || now >= known.until || known.requests !== limit.requests) return null;
      return stateOf(limit, 'requests', {
        limit: known.requests,
        remaining: 0,
        resetMs: known.endsAt - now,
      });
    },
    async count(limit, key) {
      const { requests = 0, window = 0 } = limit;
      const { number, resetMs, sharers, giveBack } = await countOne(key, window);
      const most = shareOf(requests, sharers);
      const now = Date.now();
      const until = now + Math.min(resetMs, usedUpMs);
      if (number > most) usedUp.set(key, { endsAt: now + resetMs, until, requests });
      return {
        state: stateOf(limit, 'requests', {
          limit: requests,
          remaining: most - number,
          resetMs,
        }),
        exceeded: number > most,
        never: false,
        correct(used) {
          if (used === 0) giveBack();
        },
      };
    },
  };
}
