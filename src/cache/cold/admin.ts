import type { PoolClient } from 'pg';
import type { Pool } from '../../db/pool.ts';
import type { Purge } from '../purges.ts';
import { type PurgeRow, purgeColumns, purgeKeptMs, purgeOf } from './purges.ts';

type Filter = Pick<Purge, 'key' | 'model' | 'storedBefore'>;

/** What is told of a kept answer: all but what it says. */
export interface KeptFacts {
  key: string;
  provider: string;
  dialect: string;
  requested_model: string | null;
  model: string | null;
  streamed: boolean;
  stored_at: Date;
  expires_at: Date;
  bytes: number;
  hits: number;
  saved_tokens: number;
  saved_usd: string;
  last_hit_at: Date | null;
}

/** Any number that is not used as an advisory lock elsewhere: purges get their generations in the order in which they count. */
const lock = 7_263_402;

const meant = `organization = $1 AND ($2::bytea IS NULL OR key = $2) AND ($3::text IS NULL OR model = $3 OR requested_model = $3)
  AND ($4::timestamptz IS NULL OR stored_at < $4) AND generation < $5`;

function values({ organization, key, model, storedBefore, generation }: Purge): unknown[] {
  const date = storedBefore === null ? null : new Date(storedBefore);
  return [organization, key === null ? null : Buffer.from(key, 'hex'), model, date, generation];
}

export async function findCold(pool: Pool, organization: string, key: string): Promise<KeptFacts | null> {
  const { rows } = await pool.query<KeptFacts>(
    `SELECT encode(key, 'hex') AS key, provider, dialect, requested_model, model, streamed, stored_at, expires_at,
            bytes, hits, saved_tokens, trim_scale(saved_usd)::text AS saved_usd, last_hit_at
       FROM cache_entries WHERE organization = $1 AND key = $2 AND delete_at > now()`,
    [organization, Buffer.from(key, 'hex')],
  );
  return rows[0] ?? null;
}

export async function countCold(pool: Pool, purge: Purge): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    `SELECT count(*) FROM cache_entries WHERE ${meant} AND delete_at > now()`,
    values(purge),
  );
  return rows[0]?.count ?? 0;
}

/** How many of these keys have no row. */
export async function missingInCold(pool: Pool, keys: readonly string[]): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    `SELECT count(*) FROM unnest($1::bytea[]) AS given (key)
      WHERE NOT EXISTS (SELECT FROM cache_entries WHERE cache_entries.key = given.key AND delete_at > now())`,
    [keys.map((key) => Buffer.from(key, 'hex'))],
  );
  return rows[0]?.count ?? 0;
}

/** A new purge, in force when it commits, which deletes the rows that it is about. */
export async function insertPurge(
  client: PoolClient,
  organization: string,
  { key, model, storedBefore }: Filter,
): Promise<Purge> {
  await client.query('SELECT pg_advisory_xact_lock($1)', [lock]);
  const { rows } = await client.query<{ generation: number }>(
    `INSERT INTO cache_purges (organization, key, model, stored_before)
     VALUES ($1, $2, $3, $4) RETURNING generation`,
    [organization, key, model, storedBefore === null ? null : new Date(storedBefore)],
  );
  const purge = { organization, key, model, storedBefore, generation: rows[0]?.generation ?? 0 };
  await client.query(`DELETE FROM cache_entries WHERE ${meant}`, values(purge));
  return purge;
}

export async function markPurged(pool: Pool, generation: number): Promise<void> {
  await pool.query('UPDATE cache_purges SET hot_purged = true WHERE generation = $1', [generation]);
}

/** Purges of which Redis was not told so long ago. */
export async function pendingPurges(pool: Pool, afterMs: number): Promise<Purge[]> {
  const { rows } = await pool.query<PurgeRow>(
    `SELECT ${purgeColumns} FROM cache_purges
      WHERE NOT hot_purged AND at < now() - $1 * interval '1 millisecond' ORDER BY generation LIMIT 100`,
    [afterMs],
  );
  return rows.map(purgeOf);
}

/** Deletes some answers whose time has come, and what came late of those that were purged. Returns how many. */
export async function deleteSome(pool: Pool, limit: number): Promise<number> {
  const { rowCount } = await pool.query(
    `DELETE FROM cache_entries WHERE key IN (
       SELECT key FROM cache_entries WHERE delete_at <= now() LIMIT $1 FOR UPDATE SKIP LOCKED)`,
    [limit],
  );
  const late = await pool.query(
    `DELETE FROM cache_entries e USING cache_purges p
      WHERE p.at > now() - interval '${purgeKeptMs} milliseconds' AND e.organization = p.organization
        AND e.generation < p.generation AND (p.key IS NULL OR decode(p.key, 'hex') = e.key)
        AND (p.model IS NULL OR p.model = e.model OR p.model = e.requested_model)
        AND (p.stored_before IS NULL OR e.stored_at < p.stored_before)`,
  );
  return (rowCount ?? 0) + (late.rowCount ?? 0);
}

/** Forgets purges that nothing can be held against any more. */
export async function deleteOldPurges(pool: Pool): Promise<void> {
  await pool.query(
    `DELETE FROM cache_purges WHERE hot_purged AND at < now() - interval '${purgeKeptMs} milliseconds'`,
  );
}
