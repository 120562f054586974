import { LRUCache } from 'lru-cache';
import { ownCopy } from '../dialects/own-copy.ts';
import { type Cache, type CachedAnswer, maxBodyBytes } from './cache.ts';

/** What an entry takes beside its body, in bytes. */
const overheadBytes = 1024;

/** Answers in the memory of this process, at most `maxBytes`; the longest unused go first. `now`: milliseconds. */
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
      if (ttlMs <= 0 || answer.body.length > maxBodyBytes) return;
      entries.set(key, { ...answer, body: ownCopy(answer.body) }, { ttl: ttlMs });
    },
  };
}
