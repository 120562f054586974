import type { ClientBase } from 'pg';
import type { Purge } from '../purges.ts';

/**
 * So long a purge is held against answers that come late: no call runs longer. One that Redis has not been
 * told of stays in force until then.
 */
export const purgeKeptMs = 2 * 3_600_000;

const inForce = `NOT hot_purged OR at > now() - interval '${purgeKeptMs} milliseconds'`;

/** A row of `cache_purges`. */
export type PurgeRow = Omit<Purge, 'storedBefore'> & { stored_before: Date | null };
export const purgeColumns = 'generation, organization, key, model, stored_before';

export function purgeOf({ stored_before, ...purge }: PurgeRow): Purge {
  return { ...purge, storedBefore: stored_before?.getTime() ?? null };
}

/** Changes with what is in force. */
export async function readPurgeVersion(client: ClientBase): Promise<string> {
  const { rows } = await client.query<{ version: string }>(
    `SELECT count(*) || ' ' || coalesce(max(generation), 0) AS version FROM cache_purges WHERE ${inForce}`,
  );
  return rows[0]?.version ?? '';
}

export async function readPurges(client: ClientBase): Promise<Purge[]> {
  const { rows } = await client.query<PurgeRow>(`SELECT ${purgeColumns} FROM cache_purges WHERE ${inForce}`);
  return rows.map(purgeOf);
}
