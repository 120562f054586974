import type { Pool } from '../../db/pool.ts';
import type { KeptAnswer, Place } from '../cache.ts';

/** A row of `cache_entries` (src/db/migrations/0007_cache.sql). Times are epoch milliseconds. */
export interface ColdRow
  extends Place,
    Pick<
      KeptAnswer,
      'generation' | 'provider' | 'requestedModel' | 'model' | 'streamed' | 'storedAt' | 'expiresAt'
    > {
  dialect: string;
  deleteAt: number;
  /** Of the answer. */
  bytes: number;
  entry: Buffer;
}

/** The entries of these keys, as they were sealed. `now`: epoch milliseconds. */
export async function readEntries(
  pool: Pool,
  keys: readonly string[],
  now: number,
): Promise<Map<string, Buffer>> {
  const { rows } = await pool.query<{ key: Buffer; entry: Buffer }>({
    name: 'weir-cache-read',
    text: `SELECT key, entry FROM cache_entries
            WHERE key = ANY ($1::bytea[]) AND delete_at > to_timestamp($2::float8 / 1000)`,
    values: [keys.map((key) => Buffer.from(key, 'hex')), now],
  });
  return new Map(rows.map(({ key, entry }) => [key.toString('hex'), entry]));
}

/** Writes entries; a newer one takes the place of an older. What belongs to an organization that is gone is left out. */
export async function writeEntries(pool: Pool, rows: readonly ColdRow[]): Promise<void> {
  // One statement cannot write a row twice; and all change rows in one order, so that none waits in a circle.
  const last = [...new Map(rows.map((row) => [row.key, row])).values()].sort((a, b) =>
    a.key < b.key ? -1 : 1,
  );
  const column = <T>(value: (row: ColdRow) => T) => last.map(value);
  const date = (value: (row: ColdRow) => number) => column((row) => new Date(value(row)));
  await pool.query({
    name: 'weir-cache-write',
    text: `INSERT INTO cache_entries (key, organization, generation, provider, dialect, requested_model, model,
                                      streamed, stored_at, expires_at, delete_at, bytes, entry)
           SELECT given.* FROM unnest($1::bytea[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[],
                                      $7::text[], $8::boolean[], $9::timestamptz[], $10::timestamptz[],
                                      $11::timestamptz[], $12::bigint[], $13::bytea[])
                  AS given (key, organization, generation, provider, dialect, requested_model, model, streamed,
                            stored_at, expires_at, delete_at, bytes, entry)
             JOIN organizations ON organizations.id = given.organization
           ON CONFLICT (key) DO UPDATE
             SET generation = excluded.generation, model = excluded.model, streamed = excluded.streamed,
                 stored_at = excluded.stored_at, expires_at = excluded.expires_at,
                 delete_at = excluded.delete_at, bytes = excluded.bytes, entry = excluded.entry
           WHERE cache_entries.stored_at <= excluded.stored_at`,
    values: [
      column(({ key }) => Buffer.from(key, 'hex')),
      column(({ organization }) => organization),
      column(({ generation }) => generation),
      column(({ provider }) => storable(provider)),
      column(({ dialect }) => dialect),
      column(({ requestedModel }) => storable(requestedModel)),
      column(({ model }) => storable(model)),
      column(({ streamed }) => streamed),
      date(({ storedAt }) => storedAt),
      date(({ expiresAt }) => expiresAt),
      date(({ deleteAt }) => deleteAt),
      column(({ bytes }) => bytes),
      column(({ entry }) => entry),
    ],
  });
}

/** Text as PostgreSQL can keep it: it has no NUL. */
function storable<T extends string | null>(text: T): T | string {
  return text?.includes('\0') ? text.replaceAll('\0', '\uFFFD') : text;
}
