import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Address } from '../config/schema.ts';
import type { Pool } from '../db/pool.ts';
import { createByteBudget } from './byte-budget.ts';
import { createIngest } from './ingest.ts';
import { createOtlpGrpc } from './otlp-grpc.ts';
import { createOtlpHttp } from './otlp-http.ts';
import { createSettler } from './settle.ts';

const sweepEveryMs = 10_000;
/** Bytes of requests held at once, as they travel; in memory they take some times more. */
const heldBytes = 48 * 1024 * 1024;

/** OTLP in over gRPC and HTTP, rows of PostgreSQL out. The schema must be there. */
export function createCollector(options: {
  pool: Pool;
  grpc: Address;
  http: Address;
  log: Logger;
  now: () => number;
}) {
  const { pool, log, now } = options;
  const settler = createSettler({ pool, log, now });
  const { ingest, counts, drain } = createIngest({ pool, log, now, settle: settler.settle });
  const budget = createByteBudget(heldBytes);
  const grpc = createOtlpGrpc({ address: options.grpc, ingest, budget });
  const http = createOtlpHttp({ address: options.http, ingest, budget, log });
  const stopped = new AbortController();
  let sweeping: Promise<void> | null = null;

  async function sweepUntilStopped(): Promise<void> {
    let told = 0;
    while (!stopped.signal.aborted) {
      await delay(sweepEveryMs, undefined, { signal: stopped.signal }).catch(() => {});
      if (stopped.signal.aborted) return;
      await settler.sweep().catch((error: unknown) => log.warn({ err: error }, 'the sweep of unsettled exchanges failed'));
      // TODO day count
      told = counts.passedUnseen;
    }
  }

  return {
    counts,
    /** Resolves to the addresses bound; rejects when one is taken. */
    async start(): Promise<{ grpc: Address; http: Address }> {
      const bound = { grpc: await grpc.start(), http: await http.start() };
      sweeping = sweepUntilStopped();
      return bound;
    },
    /** Takes no more, answers what it has taken when it is committed; cuts calls short after `timeoutMs`. */
    async stop(timeoutMs: number): Promise<void> {
      stopped.abort();
      await Promise.all([grpc.stop(timeoutMs), http.stop(timeoutMs)]);
      await Promise.all([drain(), settler.drain(), sweeping]);
    },
  };
}
