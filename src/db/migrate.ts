import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { Pool } from './pool.ts';

const directory = new URL('./migrations/', import.meta.url);
/** Any number that is not used as an advisory lock elsewhere in the database. */
const lock = 7_263_401;

/**
 * Brings the database to the schema of this release: forward only, each file in a transaction of its
 * own, one migrator at a time. Returns what was applied. Throws when a file that was applied has
 * changed since, or when the database is newer than this release.
 */
export async function migrate(pool: Pool): Promise<string[]> {
  const files = readdirSync(directory)
    .filter((name) => name.endsWith('.sql'))
    .sort()
    .map((name) => ({ name, sql: readFileSync(new URL(name, directory), 'utf8') }));
  const client = await pool.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [lock]);
    await client.query(
      'CREATE TABLE IF NOT EXISTS weir_migrations (name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())',
    );
    const { rows } = await client.query<{ name: string; checksum: string }>(
      'SELECT name, checksum FROM weir_migrations',
    );
    const applied = new Map(rows.map(({ name, checksum }) => [name, checksum]));
    const unknown = [...applied.keys()].filter((name) => !files.some((file) => file.name === name));
    if (unknown.length > 0) {
      throw new Error(
        `the database is newer than this weir (it has ${unknown.join(', ')}): use the newer release`,
      );
    }
    const done: string[] = [];
    for (const { name, sql } of files) {
      const checksum = createHash('sha256').update(sql).digest('hex');
      const before = applied.get(name);
      if (before === checksum) continue;
      if (before !== undefined) throw new Error(`migration ${name} was changed after it had been applied`);
      await client.query('BEGIN');
      try {
        await client.query(sql);
        await client.query('INSERT INTO weir_migrations (name, checksum) VALUES ($1, $2)', [name, checksum]);
        await client.query('COMMIT');
      } catch (error) {
        await client.query('ROLLBACK');
        throw new Error(`migration ${name} failed`, { cause: error });
      }
      done.push(name);
    }
    return done;
  } finally {
    await client.query('SELECT pg_advisory_unlock($1)', [lock]).catch(() => {});
    client.release();
  }
}
