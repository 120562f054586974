import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { createByteBudget } from '../cache/byte-budget.ts';
import type { Address } from '../config/schema.ts';
import type { Pool } from '../db/pool.ts';
import type { PriceSource } from '../exchange/baseline.ts';
import { createIngest } from './ingest.ts';
import { createOtlpGrpc, type SidecarDoor } from './otlp-grpc.ts';
import { createOtlpHttp } from './otlp-http.ts';
import { createSettler } from './settle.ts';
import { forgetSpans } from './told/other-spans.ts';

const sweepEveryMs = 10_000;
/** Bytes of requests held at once, as they travel; in memory they take some times more. */
const heldBytes = 48 * 1024 * 1024;

/** OTLP in over gRPC and HTTP, rows of PostgreSQL out. The schema must be there. */
export function createCollector(options: {
  pool: Pool;
  grpc: Address;
  http: Address;
  /** null: no sidecar reports here. */
  sidecars?: ({ address: Address } & SidecarDoor) | null;
  log: Logger;
  now: () => number;
  source: PriceSource;
  /** So long spans of others are kept for their traces, milliseconds; null: they are not. */
  tracesKeptMs: number | null;
}) {
  const { pool, log, now, source, tracesKeptMs } = options;
  const settler = createSettler({ pool, log, now });
  const { ingest, counts, drain } = createIngest({
    pool,
    log,
    now,
    source,
    traces: tracesKeptMs !== null,
    settle: settler.settle,
  });
  const budget = createByteBudget(heldBytes);
  const grpc = createOtlpGrpc({ address: options.grpc, ingest, budget });
  const door = options.sidecars
    ? createOtlpGrpc({ address: options.sidecars.address, ingest, budget, sidecars: options.sidecars })
    : null;
  const http = createOtlpHttp({ address: options.http, ingest, budget, log });
  const stopped = new AbortController();
  let sweeping: Promise<void> | null = null;

  let told = { day: '', calls: 0, before: 0 };
  function tellOfUnseen(): void {
    const day = new Date(now()).toISOString().slice(0, 10);
    if (day !== told.day) told = { ...told, day, before: told.calls };
    if (counts.passedUnseen === told.calls) return;
    told.calls = counts.passedUnseen;
    log.warn({ day, calls: told.calls - told.before }, 'calls reached a provider while weir was away');
  }

  async function sweepUntilStopped(): Promise<void> {
    while (!stopped.signal.aborted) {
      await delay(sweepEveryMs, undefined, { signal: stopped.signal }).catch(() => {});
      tellOfUnseen();
      if (stopped.signal.aborted) return;
      await Promise.all([settler.sweep(), forgetSpans(pool, now() - (tracesKeptMs ?? 0))]).catch(
        (error: unknown) => log.warn({ err: error }, 'unsettled exchanges were not swept'),
      );
    }
  }

  return {
    counts,
    /** Resolves to the addresses bound; rejects when one is taken. */
    async start(): Promise<{ grpc: Address; http: Address }> {
      try {
        const bound = { grpc: await grpc.start(), http: await http.start() };
        await door?.start();
        sweeping = sweepUntilStopped();
        return bound;
      } catch (error) {
        await grpc.stop(0);
        throw error;
      }
    },
    /** Takes no more and answers what it has taken when that is committed; gives up after `timeoutMs`. */
    async stop(timeoutMs: number): Promise<void> {
      stopped.abort();
      const served = Promise.all([grpc.stop(timeoutMs), door?.stop(timeoutMs), http.stop(timeoutMs)]);
      const drained = served.then(() => Promise.all([drain(), settler.drain(), sweeping]));
      const late = new AbortController();
      await Promise.race([drained, delay(timeoutMs, undefined, { signal: late.signal }).catch(() => {})]);
      late.abort();
      await served;
    },
  };
}
