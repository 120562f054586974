import { createHash } from 'node:crypto';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { LimitConfig } from '../config/schema.ts';
import type { RedisConnection } from '../redis/connection.ts';
import type { LimitState, LimitSubject, Limits, LimitVerdict } from './limits.ts';

/** Counts one request for one subject; resolves whether it is within the limit or not. */
type Count = (key: string) => Promise<RateLimiterRes>;

/**
 * Limits in fixed windows, each beginning with its first request. Every limit counts every request, also
 * one that another limit refuses. Over Redis all processes count together; without it each counts alone,
 * so that N processes let through at most N times a limit.
 */
export function createLimits(limits: readonly LimitConfig[], redis: RedisConnection | null): Limits {
  const counters = limits.map((limit) => ({ limit, count: counter(limit, redis) }));
  return {
    async consume(subject) {
      const states = await Promise.all(
        counters.map(async ({ limit, count }) => stateOf(limit, await count(keyOf(limit, subject)))),
      );
      return verdict(states);
    },
  };
}

function counter(limit: LimitConfig, redis: RedisConnection | null): Count {
  const options = {
    keyPrefix: `weir:limit:${limit.name}`,
    points: limit.requests,
    duration: limit.window / 1000,
  };
  const memory = new RateLimiterMemory(options);
  const alone: Count = (key) => memory.consume(key).catch(answerOf);
  if (!redis) return alone;
  const shared = new RateLimiterRedis({ ...options, storeClient: redis.client });
  return (key) =>
    redis.breaker
      .run(() => shared.consume(key), isAnswer)
      .catch((error: unknown) => (isAnswer(error) ? answerOf(error) : alone(key)));
}

/** The library rejects with its result when a limit is reached. */
function isAnswer(error: unknown): error is RateLimiterRes {
  return error instanceof RateLimiterRes;
}

function answerOf(error: unknown): RateLimiterRes {
  if (isAnswer(error)) return error;
  throw error;
}

/** Hashed: what a key is made of may be long, and need not be read in Redis. */
function keyOf({ per }: LimitConfig, subject: LimitSubject): string {
  return createHash('sha256').update(subject[per]).digest('base64url');
}

function stateOf(
  { name, per, requests }: LimitConfig,
  result: RateLimiterRes,
): LimitState & { exceeded: boolean } {
  return {
    name,
    per,
    limit: requests,
    remaining: result.remainingPoints,
    resetMs: result.msBeforeNext,
    exceeded: result.consumedPoints > requests,
  };
}

function verdict(states: (LimitState & { exceeded: boolean })[]): LimitVerdict {
  const told = ({ exceeded: _, ...state }: LimitState & { exceeded: boolean }): LimitState => state;
  // Of several that refuse, the caller must wait for the last to open again.
  const [refusing] = states.filter(({ exceeded }) => exceeded).sort((a, b) => b.resetMs - a.resetMs);
  if (refusing) return { kind: 'limited', state: told(refusing) };
  const [nearest] = states.toSorted((a, b) => a.remaining / a.limit - b.remaining / b.limit);
  return { kind: 'allowed', state: nearest ? told(nearest) : null };
}
