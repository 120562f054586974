import type { Pool } from '../db/pool.ts';
import { defaultOrganization } from '../identity/store.ts';

/** Connections of a workload to a host, by what became of them (src/db/migrations/0020_kubernetes.sql). */
export interface CoverageRow {
  workload: string;
  host: string;
  inspected: number;
  refused: number;
  passed: number;
  last_at: Date;
}

const select = `
  SELECT workload, host,
         coalesce(sum(connections) FILTER (WHERE kind = 'inspected'), 0)::float8 AS inspected,
         coalesce(sum(connections) FILTER (WHERE kind = 'refused'), 0)::float8 AS refused,
         coalesce(sum(connections) FILTER (WHERE kind = 'passed'), 0)::float8 AS passed,
         max(last_at) AS last_at
    FROM connections
   WHERE day > to_timestamp($2::float8 / 1000)::date - $3::integer
     AND ($1 = '${defaultOrganization}'
          OR EXISTS (SELECT FROM usage WHERE usage.organization = $1 AND usage.workload = connections.workload))
   GROUP BY workload, host
   ORDER BY refused DESC, passed DESC, workload, host
   LIMIT 1000`;

/**
 * What sidecars have seen of LLM traffic in the last days, what escapes first. The organization of the install sees
 * all workloads, every other one those whose calls it has.
 */
export async function coverage(
  pool: Pool,
  { organization, days, now }: { organization: string; days: number; now: number },
): Promise<CoverageRow[]> {
  const { rows } = await pool.query<CoverageRow>(select, [organization, now, days]);
  return rows;
}
