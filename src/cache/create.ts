import type { Logger } from 'pino';
import type { Keyring } from '../config/keyring.ts';
import type { Pool } from '../db/pool.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { type Cache, createAsking } from './asking.ts';
import type { ByteBudget } from './byte-budget.ts';
import { createColdTier } from './cold/tier.ts';
import { createCounts } from './counts.ts';
import { createEntries } from './entry.ts';
import { createFlights } from './flights/flights.ts';
import { createMemoryTier } from './hot/memory.ts';
import { createRedisTier } from './hot/redis.ts';
import { createPurgeFeed } from './purge-feed.ts';
import { Purges } from './purges.ts';

const memoryBytes = 256 * 1024 * 1024;

/** The database that is the cold tier. */
export interface ColdStore {
  url: string;
  pool: Pool;
  /** 0: answers are not kept there. */
  retentionMs: number;
}

/** The cache of a process. `now`: epoch milliseconds. Without Redis its hot tier is the process's own memory. */
export function createCache(options: {
  redis: RedisConnection | null;
  cold: ColdStore | null;
  keyring: Keyring;
  held: ByteBudget;
  now: () => number;
  log: Logger;
}): Cache & { start(): Promise<void>; stop(): Promise<void> } {
  const { redis, cold: store, keyring, held, now, log } = options;
  const purges = new Purges();
  const entries = createEntries(keyring);
  const hot = redis ? createRedisTier(redis, entries, log) : createMemoryTier({ maxBytes: memoryBytes, now });
  const cold = store && store.retentionMs > 0 ? createColdTier({ ...store, entries, log, now }) : null;
  const flights = createFlights({ redis, hot, purges, keyring, held, log });
  const counts =
    store &&
    createCounts({
      pool: store.pool,
      now,
      lost: (error, looks) => log.warn({ err: error, looks }, 'what came of the cache was not counted'),
    });
  const feed =
    store &&
    createPurgeFeed({
      url: store.url,
      log,
      purges,
      purged() {
        hot.purge((place, answer) => purges.covers(place, answer));
        flights.purge();
      },
    });
  return {
    ...createAsking({ hot, cold, coldMs: store?.retentionMs ?? 0, flights, purges, now }),
    count: (place, result, answer) => counts?.count(place, result, answer),
    start: async () => feed?.start(),
    async stop() {
      flights.stop();
      await Promise.all([feed?.stop(), counts?.stop(), cold?.stop()]);
    },
  };
}
