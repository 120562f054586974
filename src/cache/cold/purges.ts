import type { ClientBase } from 'pg';
import type { Purge } from '../purges.ts';

/**
 * So long a purge is held against answers that come late: no call runs longer. One that Redis has not been
 * told of stays in force until then.
 */
export const purgeKeptMs = 2 * 3_600_000;

const inForce = `NOT hot_purged OR at > now() - interval '${purgeKeptMs} milliseconds'`;

/** Changes with what is in force. */
export async function readPurgeVersion(client: ClientBase): Promise<string> {
  const { rows } = await client.query<{ version: string }>(
    `SELECT count(*) || ' ' || coalesce(max(generation), 0) AS version FROM cache_purges WHERE ${inForce}`,
  );
  return rows[0]?.version ?? '';
}

export async function readPurges(client: ClientBase): Promise<Purge[]> {
  const { rows } = await client.query<Omit<Purge, 'storedBefore'> & { stored_before: Date | null }>(
    `SELECT generation, organization, key, model, stored_before FROM cache_purges WHERE ${inForce}`,
  );
  return rows.map(({ stored_before, ...purge }) => ({
    ...purge,
    storedBefore: stored_before?.getTime() ?? null,
  }));
}
