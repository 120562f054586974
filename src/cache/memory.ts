import { LRUCache } from 'lru-cache';
import type { Cache, CachedAnswer } from './cache.ts';

/** What an entry takes beside its body. */
const overheadBytes = 1024;

/** Answers in the memory of this process, at most `maxBytes`; the least used go first. */
export function createMemoryCache(options: { maxBytes: number; now: () => number }): Cache {
  const entries = new LRUCache<string, CachedAnswer>({
    maxSize: options.maxBytes,
    sizeCalculation: ({ body }) => body.length + overheadBytes,
    perf: { now: options.now },
    ttlResolution: 0,
  });
  return {
    get: async (key) => entries.get(key) ?? null,
    async set(key, answer, ttlMs) {
      // A copy: a body may be a part of a larger buffer, which it would hold.
      if (ttlMs > 0) entries.set(key, { ...answer, body: Buffer.from(answer.body) }, { ttl: ttlMs });
    },
  };
}
