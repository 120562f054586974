import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Pool } from '../../db/pool.ts';
import { deleteOldPurges, deleteSome } from './admin.ts';

const sweepEveryMs = 30_000;
/** Rows that are deleted at once, and the pause after them: others are to have their turn. */
const batch = 1_000;
const pauseMs = 20;

/** Deletes answers when their retention ends, and tells Redis what it could not be told before. */
export function createAnswerSweep(options: { pool: Pool; purgePending: () => Promise<void>; log: Logger }) {
  const { pool, purgePending, log } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const sleep = (ms: number) => delay(ms, undefined, { signal }).catch(() => {});
  let running = Promise.resolve();

  async function sweep(): Promise<void> {
    while (!signal.aborted && (await deleteSome(pool, batch)) > 0) await sleep(pauseMs);
    await purgePending();
    await deleteOldPurges(pool);
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      await sweep().catch((error: unknown) => log.warn({ err: error }, 'kept answers were not swept'));
      await sleep(sweepEveryMs);
    }
  }

  return {
    sweep,
    start(): void {
      running = run();
    },
    async stop(): Promise<void> {
      stopping.abort();
      await running;
    },
  };
}
