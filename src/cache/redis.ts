import type { Logger } from 'pino';
import type { RedisConnection } from '../redis/connection.ts';
import { type Cache, maxBodyBytes } from './cache.ts';
import { decodeEntry, encodeEntry } from './entry.ts';

const prefix = 'weir:answer:';

/** Answers in Redis, shared by all processors. Redis away: a miss. */
export function createRedisCache({ client, run }: RedisConnection, log: Logger): Cache {
  return {
    async get(key) {
      try {
        const bytes = await run(() => client.getBuffer(prefix + key));
        return bytes && decodeEntry(bytes);
      } catch {
        return null;
      }
    },
    async set(key, answer, ttlMs) {
      const px = Math.floor(ttlMs);
      if (px <= 0 || answer.body.length > maxBodyBytes) return;
      try {
        await run(() => client.set(prefix + key, encodeEntry(answer), 'PX', px));
      } catch (error) {
        log.debug({ err: error }, 'an answer was not kept');
      }
    },
  };
}
