import { type Pool, withConnection } from '../db/pool.ts';
import { insertDeadLetters } from './dead-letters.ts';
import type { Refusals } from './group-commit.ts';
import { type Column, insertAllButFaulty, insertStatement, insertValues, storable } from './insert.ts';
import type { LogRecord } from './otlp.ts';

/** A line of Envoy's access log (src/envoy/access-log.ts): its own text for each fact, null for `-`. */
export interface Witness {
  /** null: no processor marked this call. */
  exchangeId: string | null;
  startedAt: string | null;
  method: string | null;
  path: string | null;
  authority: string | null;
  /** null: no response was sent. */
  status: string | null;
  responseFlags: string | null;
  codeDetails: string | null;
  upgrade: string | null;
  bytesReceived: string | null;
  bytesSent: string | null;
  durationMs: string | null;
  upstreamCluster: string | null;
  upstreamHost: string | null;
  /** As the token of the sidecar has proved it: cluster/namespace/service account. */
  workload: string | null;
}

/** The witness in a log record; null when the record is not of weir's access log. */
export function readWitness({ at, attributes }: LogRecord, workload: string | null = null): Witness | null {
  if (!attributes.has('weir.exchange.id')) return null;
  const read = (name: string) => {
    const value = String(attributes.get(name) ?? '');
    return value === '' || value === '-' ? null : storable(value);
  };
  const status = read('status');
  return {
    exchangeId: read('weir.exchange.id'),
    startedAt: read('start_time') ?? (at > 0 ? new Date(at).toISOString() : null),
    method: read('method'),
    path: read('path'),
    authority: read('authority'),
    status: status === '0' ? null : status,
    responseFlags: read('response_flags'),
    codeDetails: read('code_details'),
    upgrade: read('upgrade'),
    bytesReceived: read('bytes_received'),
    bytesSent: read('bytes_sent'),
    durationMs: read('duration_ms'),
    upstreamCluster: read('upstream_cluster'),
    upstreamHost: read('upstream_host'),
    workload,
  };
}

/** Whether a provider was called without weir: the processor was away and Envoy failed open. */
export function passedUnseen(witness: Witness): boolean {
  return witness.exchangeId === null && witness.upgrade === null && witness.upstreamHost !== null;
}

/** The columns of `witness` (src/db/migrations/0002_usage.sql). */
const columns: Column<Witness>[] = [
  ['exchange_id', 'uuid', (w) => w.exchangeId],
  ['started_at', 'timestamptz', (w) => w.startedAt],
  ['method', 'text', (w) => w.method],
  ['path', 'text', (w) => w.path],
  ['authority', 'text', (w) => w.authority],
  ['status', 'integer', (w) => w.status],
  ['response_flags', 'text', (w) => w.responseFlags],
  ['code_details', 'text', (w) => w.codeDetails],
  ['upgrade', 'text', (w) => w.upgrade],
  ['bytes_received', 'bigint', (w) => w.bytesReceived],
  ['bytes_sent', 'bigint', (w) => w.bytesSent],
  ['duration_ms', 'bigint', (w) => w.durationMs],
  ['upstream_cluster', 'text', (w) => w.upstreamCluster],
  ['upstream_host', 'text', (w) => w.upstreamHost],
  ['workload', 'text', (w) => w.workload],
];
const statement = insertStatement('witness', columns);

/** Commits witnesses; those that can never be rows become dead letters. Throws when PostgreSQL is away. */
export async function writeWitnesses(
  pool: Pool,
  witnesses: Witness[],
  receivedAt: number,
): Promise<Refusals<Witness>> {
  return withConnection(pool, async (client) => {
    const refusals = await insertAllButFaulty(witnesses, (part) =>
      client.query(statement, insertValues(columns, part, receivedAt)),
    );
    const letters = [...refusals].map(([witness, reason]) => ({ reason, content: witness }));
    await insertDeadLetters(client, letters, receivedAt);
    return refusals;
  });
}
