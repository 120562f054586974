import type { Logger } from 'pino';
import type { RedisConnection } from '../redis/connection.ts';
import type { Cache } from './cache.ts';
import { createMemoryCache } from './memory.ts';
import { createRedisCache } from './redis.ts';

const memoryBytes = 256 * 1024 * 1024;

/** What was asked of the cache by this process since it started. */
export interface CacheStats {
  hits: number;
  misses: number;
}

export interface CountedCache extends Cache {
  stats(): CacheStats;
}

/** The cache in Redis, or without it in this process; counts its hits. `now`: epoch milliseconds. */
export function createCache(
  redis: RedisConnection | null,
  { now, log }: { now: () => number; log: Logger },
): CountedCache {
  const cache = redis ? createRedisCache(redis, log) : createMemoryCache({ maxBytes: memoryBytes, now });
  let hits = 0;
  let misses = 0;
  return {
    async get(key) {
      const answer = await cache.get(key);
      if (answer) hits++;
      else misses++;
      return answer;
    },
    set: (key, answer, ttlMs) => cache.set(key, answer, ttlMs),
    stats: () => ({ hits, misses }),
  };
}
