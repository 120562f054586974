import { LRUCache } from 'lru-cache';
import { RateLimiterMemory, RateLimiterRedis } from 'rate-limiter-flexible';
import type { LimitConfig } from '../config/policy/limits.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { type Counted, shareOf, stateOf } from './counted.ts';
import type { LimitState } from './limits.ts';
import type { Processes } from './processes.ts';

/** Windows that a process knows to be used up; for one that is forgotten the store is asked again. */
const maxUsedUp = 100_000;
/** So long it takes its own word for it: what refused calls have counted is given back. */
const usedUpMs = 1_000;
const keyPrefix = 'weir:limit';

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
export function createRequestWindows(redis: RedisConnection | null, processes: Processes): RequestWindows {
  const usedUp = new LRUCache<string, { endsAt: number; until: number; requests: number }>({
    max: maxUsedUp,
  });
  // Each call brings the length of its window, and what it is compared with: a policy that changes begins nothing anew.
  const options = { keyPrefix, points: Number.MAX_SAFE_INTEGER, duration: 1 };
  const memory = new RateLimiterMemory(options);
  const shared = redis && new RateLimiterRedis({ ...options, storeClient: redis.client });

  async function countAlone(key: string, customDuration: number, sharers: number) {
    const result = await memory.consume(key, 1, { customDuration });
    const giveBack = async () => {
      const window = await memory.get(key);
      if (window && window.msBeforeNext <= result.msBeforeNext) await memory.reward(key);
    };
    return { result, sharers, giveBack };
  }

  async function count(key: string, customDuration: number) {
    if (!redis || !shared) return countAlone(key, customDuration, 1);
    try {
      const result = await redis.run(() => shared.consume(key, 1, { customDuration }));
      const giveBack = () =>
        redis.run(() => redis.client.weirAdjust(`${keyPrefix}:${key}`, -1, result.msBeforeNext));
      return { result, sharers: 1, giveBack };
    } catch {
      return countAlone(key, customDuration, processes.count());
    }
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
      const { result, sharers, giveBack } = await count(key, window / 1000);
      const { consumedPoints, msBeforeNext } = result;
      const most = shareOf(requests, sharers);
      const now = Date.now();
      const until = now + Math.min(msBeforeNext, usedUpMs);
      if (consumedPoints > most) usedUp.set(key, { endsAt: now + msBeforeNext, until, requests });
      return {
        state: stateOf(limit, 'requests', {
          limit: requests,
          remaining: most - consumedPoints,
          resetMs: msBeforeNext,
        }),
        exceeded: consumedPoints > most,
        never: false,
        correct(used) {
          if (used === 0) giveBack().catch(() => {});
        },
      };
    },
  };
}
