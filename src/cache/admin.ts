import type { PoolClient } from 'pg';
import type { Logger } from 'pino';
import type { Pool } from '../db/pool.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { countCold, findCold, insertPurge, markPurged, missingInCold, pendingPurges } from './cold/admin.ts';
import { deleteHot, scanHot } from './hot/scan.ts';
import type { Purge } from './purges.ts';

/** Which answers are meant; what is null is not asked for. All null: all. */
export type PurgeFilter = Pick<Purge, 'key' | 'model' | 'storedBefore'>;

/** Higher than any generation that there is. */
const always = Number.MAX_SAFE_INTEGER;
/** Whoever said a purge has told Redis of it by now, or could not. */
const pendingMs = 30_000;

export type CacheAdmin = ReturnType<typeof createCacheAdmin>;

/** What people do with kept answers. `redis`: where the hot tier is; null: in the processes. */
export function createCacheAdmin(options: { pool: Pool; redis: RedisConnection | null; log: Logger }) {
  const { pool, redis, log } = options;

  async function deleteFromHot(purge: Purge): Promise<void> {
    if (redis) {
      const place = (key: string) => ({ organization: purge.organization, key });
      for await (const keys of scanHot(redis, purge)) await deleteHot(redis, place, keys);
    }
    await markPurged(pool, purge.generation);
  }

  return {
    find: (organization: string, key: string) => findCold(pool, organization, key),

    /** How many answers are meant, in both tiers; `null`: Redis does not answer. */
    async count(
      organization: string,
      filter: PurgeFilter,
    ): Promise<{ answers: number; cold: number; hot: number | null }> {
      const purge = { ...filter, organization, generation: always };
      const cold = await countCold(pool, purge);
      if (!redis) return { answers: cold, cold, hot: null };
      let hot = 0;
      let hotAlone = 0;
      try {
        for await (const keys of scanHot(redis, purge)) {
          hot += keys.length;
          hotAlone += await missingInCold(pool, keys);
        }
      } catch {
        return { answers: cold, cold, hot: null };
      }
      return { answers: cold + hotAlone, cold, hot };
    },

    /** Lets no process give these answers any more from when this transaction commits, and deletes them there. */
    purge: (client: PoolClient, organization: string, filter: PurgeFilter): Promise<Purge> =>
      insertPurge(client, organization, filter),

    /** Deletes them in Redis; when it does not answer, later. */
    async purgeHot(purge: Purge): Promise<void> {
      await deleteFromHot(purge).catch((error: unknown) =>
        log.warn({ err: error, purge }, 'purged answers are not given any more; Redis deletes them later'),
      );
    },

    /** Tells Redis what it could not be told when it was said. */
    async purgePending(): Promise<void> {
      for (const purge of await pendingPurges(pool, pendingMs)) await deleteFromHot(purge);
    },
  };
}
