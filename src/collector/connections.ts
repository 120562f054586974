import type { Pool } from '../db/pool.ts';
import { type Workload, workloadName } from '../identity/identity.ts';
import type { Refusals } from './group-commit.ts';
import { storable } from './insert.ts';
import type { LogRecord } from './otlp.ts';

/** A connection of a workload to a host that is an LLM provider's or looks like it (src/envoy/connection-log.ts). */
export interface Connection {
  workload: string;
  host: string;
  kind: 'inspected' | 'refused' | 'passed';
}

/** The connection in a log record; null: it is of none, or nobody knows whose it was. */
export function readConnection({ attributes }: LogRecord, workload: Workload | null): Connection | null {
  const read = (name: string) => {
    const value = String(attributes.get(name) ?? '');
    return value === '' || value === '-' ? null : storable(value);
  };
  const chain = read('weir.connection');
  const host = read('host');
  if (!workload || !attributes.has('weir.connection') || host === null) return null;
  const isOurs = chain?.startsWith('intercepted-') === true;
  const isRefused =
    read('refused') !== null || (isOurs && saidNothing(read('received'), read('milliseconds')));
  const kind = isRefused ? 'refused' : isOurs ? 'inspected' : 'passed';
  return { workload: workloadName(workload), host: host.slice(0, 253).toLowerCase(), kind };
}

/** Longer than a client takes to look at a certificate; one that keeps a spare connection holds it longer. */
const refusesWithinMs = 2_000;

/**
 * Whether a client left as those do that look at the certificate after the handshake: without an alert and
 * without a word. Node's TLS does so, and most that pin a certificate. Sidecars of an earlier release do not tell.
 */
function saidNothing(received: string | null, milliseconds: string | null): boolean {
  return received === '0' && milliseconds !== null && Number(milliseconds) < refusesWithinMs;
}

const statement = `
  INSERT INTO connections (workload, host, kind, day, connections, last_at)
  SELECT workload, host, kind, to_timestamp($4::float8 / 1000)::date, count(*), to_timestamp($4::float8 / 1000)
    FROM unnest($1::text[], $2::text[], $3::text[]) AS seen (workload, host, kind)
   GROUP BY workload, host, kind ORDER BY workload, host, kind
  ON CONFLICT (workload, host, kind, day) DO UPDATE
     SET connections = connections.connections + excluded.connections,
         last_at = greatest(connections.last_at, excluded.last_at)`;

/** Counts connections. Throws when PostgreSQL is away. A sender that did not hear of it may count twice. */
export async function writeConnections(
  pool: Pool,
  seen: Connection[],
  at: number,
): Promise<Refusals<Connection>> {
  await pool.query(statement, [
    seen.map(({ workload }) => workload),
    seen.map(({ host }) => host),
    seen.map(({ kind }) => kind),
    at,
  ]);
  return new Map();
}
