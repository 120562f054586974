import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { LimitConfig } from '../config/policy/limits.ts';
import type { RedisConnection } from '../redis/connection.ts';
import type { LimitState, LimitSubject, Limits, LimitVerdict } from './limits.ts';

/** Used-up windows that a process remembers; for one that is forgotten the counter is asked again. */
const maxUsedUp = 100_000;

/** Counts one request of a subject; never rejects. */
type Count = (key: string) => Promise<RateLimiterRes>;

/**
 * Limits in fixed windows, each beginning with its first request. A request counts against all limits; but
 * where one is known to be used up, it counts against none, so that a client that runs into its own limit
 * does not eat up the one it shares. Over Redis all processes count together, and each learns by one more
 * request that a window is used up. Without Redis each counts alone: N processes let through at most N
 * times a limit.
 */
export function createLimits(limits: readonly LimitConfig[], redis: RedisConnection | null): Limits {
  const counters = limits.map((limit) => ({ limit, count: counter(limit, redis) }));
  /** When a used-up window ends, by the clock that the counters go by. */
  const usedUp = new LRUCache<string, number>({ max: maxUsedUp });

  return {
    async consume(subject) {
      const keyed = counters.map((each) => ({ ...each, key: keyOf(each.limit, subject) }));
      const closed = keyed.flatMap(({ limit, key }) => {
        const resetMs = (usedUp.get(key) ?? 0) - Date.now();
        return resetMs > 0 ? [stateOf(limit, 0, resetMs)] : [];
      });
      if (closed.length > 0) return limited(closed);

      // All begin in the same tick: over Redis they are one round trip.
      const counted = await Promise.all(
        keyed.map(async ({ limit, count, key }) => {
          const { consumedPoints, remainingPoints, msBeforeNext } = await count(key);
          if (remainingPoints === 0) usedUp.set(key, Date.now() + msBeforeNext);
          return {
            state: stateOf(limit, remainingPoints, msBeforeNext),
            exceeded: consumedPoints > limit.requests,
          };
        }),
      );
      const exceeded = counted.filter((each) => each.exceeded).map(({ state }) => state);
      return exceeded.length > 0 ? limited(exceeded) : allowed(counted.map(({ state }) => state));
    },
  };
}

function counter(limit: LimitConfig, redis: RedisConnection | null): Count {
  const options = {
    keyPrefix: 'weir:limit',
    points: limit.requests,
    duration: limit.window / 1000,
  };
  const memory = new RateLimiterMemory(options);
  const alone: Count = (key) => memory.consume(key).catch(resultOf);
  if (!redis) return alone;
  const shared = new RateLimiterRedis({ ...options, storeClient: redis.client });
  return (key) => redis.run(() => shared.consume(key).catch(resultOf)).catch(() => alone(key));
}

/** The library rejects with its result when a limit is exceeded. */
function resultOf(error: unknown): RateLimiterRes {
  if (error instanceof RateLimiterRes) return error;
  throw error;
}

/** The subject is hashed: it may be long, and nobody need read it in Redis. */
function keyOf({ name, per }: LimitConfig, subject: LimitSubject): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([per, subject[per]]))
    .digest('base64url');
  return `${name}:${hash}`;
}

function stateOf({ name, per, requests }: LimitConfig, remaining: number, resetMs: number): LimitState {
  return { name, per, limit: requests, remaining, resetMs };
}

/** The caller must wait for the last of them to open again. */
function limited(states: LimitState[]): LimitVerdict {
  const state = states.reduce((last, each) => (each.resetMs > last.resetMs ? each : last));
  return { kind: 'limited', state };
}

function allowed(states: LimitState[]): LimitVerdict {
  const [nearest = null] = states.toSorted((a, b) => a.remaining / a.limit - b.remaining / b.limit);
  return { kind: 'allowed', state: nearest };
}
