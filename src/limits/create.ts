import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { LimitConfig } from '../config/schema.ts';
import type { RedisConnection } from '../redis/connection.ts';
import type { LimitState, LimitSubject, Limits, LimitVerdict } from './limits.ts';

/** Used-up windows that a process remembers. One that is forgotten is asked for again. */
const maxUsedUp = 100_000;

/** One limit, and how one request is counted against it: never rejects. */
interface Counter {
  limit: LimitConfig;
  count(key: string): Promise<RateLimiterRes>;
}

/**
 * Limits in fixed windows; a window begins with its first request. A request counts against all limits or,
 * when one of them is known to be used up, against none: whoever runs into a narrow limit does not eat up a
 * wide one that others share. Over Redis all processes count together, and each learns from its own next
 * request that a window is used up: that one alone counts against the others although it is refused.
 * Without Redis each process counts alone, so that N processes let through at most N times a limit.
 */
export function createLimits(limits: readonly LimitConfig[], redis: RedisConnection | null): Limits {
  const counters = limits.map((limit) => counterOf(limit, redis));
  /** Ends of used-up windows, by the system's clock as the counters keep it. */
  const usedUp = new LRUCache<string, number>({ max: maxUsedUp });

  return {
    async consume(subject) {
      const now = Date.now();
      const asked = counters.map(({ limit, count }) => ({ limit, count, key: keyOf(limit, subject) }));
      const closed = asked.flatMap(({ limit, key }) => {
        const resetMs = (usedUp.get(key) ?? 0) - now;
        return resetMs > 0 ? [stateOf(limit, 0, resetMs)] : [];
      });
      if (closed.length > 0) return refusal(closed);

      // All in the same tick: over Redis one round trip.
      const results = await Promise.all(
        asked.map(async ({ limit, count, key }) => ({ limit, key, result: await count(key) })),
      );
      for (const { key, result } of results) {
        if (result.remainingPoints === 0) usedUp.set(key, Date.now() + result.msBeforeNext);
      }
      const states = results.map(({ limit, result }) =>
        stateOf(limit, result.remainingPoints, result.msBeforeNext),
      );
      const exceeded = states.filter((_, index) => {
        const each = results[index];
        return each !== undefined && each.result.consumedPoints > each.limit.requests;
      });
      if (exceeded.length > 0) return refusal(exceeded);
      const [nearest = null] = states.toSorted((a, b) => a.remaining / a.limit - b.remaining / b.limit);
      return { kind: 'allowed', state: nearest };
    },
  };
}
