import type { Logger } from 'pino';
import type { Pool } from '../../db/pool.ts';
import { Breaker } from '../../redis/breaker.ts';
import type { KeptAnswer, Place } from '../cache.ts';
import type { Entries } from '../entry.ts';
import { sizeOf } from '../pieces.ts';
import { createQueue } from './queue.ts';
import { type ColdRow, readEntries, writeEntries } from './rows.ts';

/** What a call waits for PostgreSQL at most, once: then it is taken to be away. */
const waitMs = 20;
/** Answers that wait to be written, sealed; more are not kept. */
const queuedBytes = 16 * 1024 * 1024;
const flushMs = 250;
const maxBatch = 256;

/** A tier that is asked when the hot one does not have an answer. What fails is a miss, never an error. */
export interface ColdTier {
  find(place: Place): Promise<KeptAnswer | null>;
  /** Written later, with others; in memory until then. */
  put(place: Place, dialect: string, answer: KeptAnswer): Promise<void>;
  /** Writes what waits, and asks no more. */
  stop(): Promise<void>;
}

/** Answers in PostgreSQL, sealed, for at most `retentionMs`. `now`: epoch milliseconds. */
export function createColdTier(options: {
  pool: Pool;
  entries: Entries;
  retentionMs: number;
  log: Logger;
  now: () => number;
}): ColdTier {
  const { pool, entries, retentionMs, log, now } = options;
  const breaker = new Breaker({
    waitMs,
    probe: () => pool.query('SELECT 1'),
    opened: (error) => log.warn({ err: error }, 'PostgreSQL does not answer in time: the cold cache misses'),
    closed: () => log.info('PostgreSQL answers again: the cold cache is asked'),
  });
  const queue = createQueue<ColdRow>({
    write: (rows) => writeEntries(pool, rows),
    sizeOf: ({ entry }) => entry.length,
    maxBytes: queuedBytes,
    maxBatch,
    everyMs: flushMs,
    lost: (error, rows) => log.warn({ err: error, answers: rows }, 'answers were not kept in PostgreSQL'),
  });

  /** Those who ask while a query runs are asked for together by the next. */
  let asking: Promise<Map<string, Buffer>> | null = null;
  let next: { keys: Set<string>; found: Promise<Map<string, Buffer>> } | null = null;
  function ask(key: string): Promise<Map<string, Buffer>> {
    if (next) {
      next.keys.add(key);
      return next.found;
    }
    const keys = new Set([key]);
    const query = async () => {
      await asking?.catch(() => {});
      next = null;
      asking = readEntries(pool, [...keys], now());
      return asking;
    };
    next = { keys, found: query() };
    return next.found;
  }

  return {
    async find(place) {
      try {
        const found = await breaker.run(() => ask(place.key));
        const entry = found.get(place.key);
        return entry ? await entries.open(place, entry) : null;
      } catch {
        return null;
      }
    },
    async put(place, dialect, answer) {
      const entry = await entries.seal(place, answer);
      const { generation, provider, requestedModel, model, streamed, storedAt, expiresAt } = answer;
      queue.push({
        ...place,
        generation,
        provider,
        dialect,
        requestedModel,
        model,
        streamed,
        storedAt,
        expiresAt,
        deleteAt: Math.min(expiresAt, storedAt + retentionMs),
        bytes: sizeOf(answer.pieces),
        entry,
      });
    },
    async stop() {
      breaker.stop();
      await queue.stop();
    },
  };
}
