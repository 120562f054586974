import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import type { Pool } from '../db/pool.ts';
import type { UsageRecord } from '../usage/record.ts';
import { storable } from './insert.ts';

/** A key's last use is written at most so often. */
const everyMs = 60_000;
/** Keys that are remembered; for one that is forgotten PostgreSQL is asked again. */
const remembered = 10_000;

// Never back in time, and by several collectors no more often than by one.
const statement = `
  UPDATE api_keys SET last_used_at = seen.at
    FROM unnest($1::text[], $2::timestamptz[]) AS seen (id, at)
   WHERE api_keys.id = seen.id
     AND (last_used_at IS NULL OR last_used_at <= seen.at - interval '${everyMs} milliseconds')`;

/** Writes down when keys were last used, to the minute, beside what comes in: nobody waits for it. */
export function createLastUsed({ pool, log, now }: { pool: Pool; log: Logger; now: () => number }) {
  const written = new LRUCache<string, number>({ max: remembered });
  const due = new Map<string, number>();
  let writing: Promise<void> | null = null;

  async function write(): Promise<void> {
    while (due.size > 0) {
      const seen = [...due].toSorted(([a], [b]) => (a < b ? -1 : 1));
      due.clear();
      for (const [key, at] of seen) written.set(key, at);
      const ids = seen.map(([key]) => storable(key));
      const times = seen.map(([, at]) => new Date(at).toISOString());
      await pool.query(statement, [ids, times]).catch((error: unknown) => {
        // The next use is written instead.
        for (const [key] of seen) written.delete(key);
        log.warn({ err: error }, 'the last use of keys was not written');
      });
    }
  }

  return {
    /** Told of records that are committed. */
    saw(records: readonly Pick<UsageRecord, 'apiKey' | 'startedAt'>[]): void {
      for (const { apiKey, startedAt } of records) {
        // By no clock was it used in the future.
        const at = Math.min(startedAt, now());
        if (apiKey === null || at < (written.get(apiKey) ?? -Infinity) + everyMs) continue;
        if (due.has(apiKey) || due.size < remembered) due.set(apiKey, Math.max(at, due.get(apiKey) ?? at));
      }
      if (due.size > 0) {
        writing ??= write().finally(() => {
          writing = null;
        });
      }
    },
    /** Resolves when all that was seen is written, or could not be. */
    async drain(): Promise<void> {
      await writing;
    },
  };
}
