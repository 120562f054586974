import { type Pool, withConnection } from '../db/pool.ts';
import { uninspectedOperation } from '../dialects/registry.ts';
import { defaultOrganization } from '../identity/store.ts';
import type { Outcome, UsageRecord } from '../usage/record.ts';
import { readRecord } from '../usage/span.ts';
import { settlingMs } from './closed-periods.ts';
import { insertUsage } from './usage-rows.ts';
import { verdict } from './verdict.ts';

const batch = 1_000;
interface Row {
  id: string;
  exchange_id: string;
  /** Names the call where no processor did: the same for a line that was sent twice. */
  trace_id: string;
  started_ms: number;
  duration_ms: number | null;
  method: string | null;
  path: string | null;
  authority: string | null;
  status: number | null;
  upstream_cluster: string | null;
  workload: string | null;
  outcome: Outcome | null;
  marked: boolean;
}

// What no processor has marked can have no other record. The others had an hour to come: from then on a record
// that comes is known to be late, and takes the place of what is made here.
const select = `
  SELECT w.id, coalesce(w.exchange_id, line::uuid) AS exchange_id, line AS trace_id, w.method, w.path, w.authority,
         extract(epoch FROM w.started_at)::float8 * 1000 AS started_ms, w.duration_ms, w.status, w.upstream_cluster, w.workload,
         ${verdict} AS outcome, w.exchange_id IS NOT NULL AS marked
    FROM witness w, md5(concat_ws(' ', w.exchange_id, w.started_at, w.authority, w.path, w.upstream_host,
                                  w.bytes_received, w.bytes_sent, w.duration_ms)) AS line
   WHERE NOT w.recorded AND w.upstream_host IS NOT NULL
     AND (w.exchange_id IS NULL OR w.received_at <= to_timestamp($1::float8 / 1000))
     AND NOT EXISTS (SELECT FROM usage WHERE usage.id = w.exchange_id)
   ORDER BY w.id LIMIT ${batch}`;

const done = `
  UPDATE witness SET recorded = true
   WHERE NOT recorded AND upstream_host IS NOT NULL
     AND (id = ANY ($1) OR received_at <= to_timestamp($2::float8 / 1000)
          AND EXISTS (SELECT FROM usage WHERE usage.id = witness.exchange_id))`;

/**
 * Makes rows of calls that reached a provider and of which no record will come: no processor looked, or it is
 * gone with its journal. What they used is not known. Resolves to their number.
 */
export function recordUnseen(pool: Pool, now: number): Promise<number> {
  return withConnection(pool, async (client) => {
    const until = now - settlingMs;
    const { rows } = await client.query<Row>(select, [until]);
    const lines = new Map(rows.map((row) => [row.trace_id, row]));
    if (lines.size > 0) await insertUsage(client, [...lines.values()].map(recordOf), now);
    await client.query(done, [rows.map(({ id }) => id), until]);
    return lines.size;
  });
}

function recordOf(row: Row): UsageRecord {
  const host = row.authority?.replace(/:\d+$/, '') ?? '';
  const path = row.path ?? '';
  return {
    ...readRecord('{}'),
    id: row.exchange_id,
    traceId: row.trace_id,
    spanId: row.trace_id.slice(0, 16),
    startedAt: row.started_ms,
    endedAt: row.started_ms + (row.duration_ms ?? 0),
    // Whose it was nobody looked at.
    organization: defaultOrganization,
    workload: row.workload,
    provider: row.upstream_cluster?.replace(/^(provider|grpc)-/, '') ?? host,
    serverAddress: host,
    operation: uninspectedOperation(path),
    method: row.method ?? '',
    path,
    stream: false,
    outcome:
      row.outcome ?? (row.marked ? 'interrupted' : (row.status ?? 0) < 400 ? 'completed' : 'upstream_error'),
    status: row.status,
    errorCode: 'unseen',
    attempts: 1,
    cache: 'bypass',
  };
}
