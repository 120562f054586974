import type { Logger } from 'pino';
import type { RedisConnection } from '../redis/connection.ts';
import type { Cache } from './cache.ts';
import { decodeEntry, encodeEntry } from './entry.ts';

const prefix = 'weir:answer:';

/** Answers in Redis, shared by all processors. Redis away: a miss. */
export function createRedisCache({ client, breaker }: RedisConnection, log: Logger): Cache {
  return {
    async get(key) {
      try {
        const bytes = await breaker.run(() => client.getBuffer(prefix + key));
        return bytes && decodeEntry(bytes);
      } catch {
        return null;
      }
    },
    async set(key, answer, ttlMs) {
      if (ttlMs <= 0) return;
      try {
        await breaker.run(() => client.set(prefix + key, encodeEntry(answer), 'PX', ttlMs));
      } catch (error) {
        log.debug({ err: error }, 'an answer was not kept');
      }
    },
  };
}
