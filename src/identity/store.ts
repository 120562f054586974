import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import type { Pool } from '../db/pool.ts';
import { describeKey, makeKey, type NewKey } from './keys.ts';

/** The organization that `up` makes, and that callers without a weir key belong to. */
export const defaultOrganization = 'default';

const keysFile = z.object({
  call: z.string().startsWith('weir_sk_'),
  admin: z.string().startsWith('weir_admin_'),
});
/** The two keys of one machine. */
export type FirstKeys = z.output<typeof keysFile>;

/**
 * The first organization and its two keys. They lie in `file`, readable by the owner alone, and their
 * hashes in the database; whichever of the two is missing is made from the other.
 */
export async function ensureFirstKeys(pool: Pool, file: string): Promise<FirstKeys> {
  const keys = existsSync(file) ? readKeys(file) : writeKeys(file);
  await insertOrganization(pool);
  await insertKey(pool, defaultOrganization, 'first call key', describeKey(keys.call, 'call'));
  await insertKey(pool, defaultOrganization, 'first admin key', describeKey(keys.admin, 'admin'));
  return keys;
}

/** The organization of the install, which is there from then on. Resolves to its id. */
export async function insertOrganization(pool: Pool): Promise<string> {
  await pool.query('INSERT INTO organizations (id, name) VALUES ($1, $1) ON CONFLICT DO NOTHING', [
    defaultOrganization,
  ]);
  return defaultOrganization;
}

/** Adds a key to an organization; one that is there already stays as it is. */
export async function insertKey(pool: Pool, organization: string, name: string, key: NewKey): Promise<void> {
  await pool.query(
    `INSERT INTO api_keys (id, organization, name, prefix, hash, scope) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT DO NOTHING`,
    [key.id, organization, name, key.prefix, key.hash, key.scope],
  );
}

/** The two keys of this machine. Throws when the file is none of ours. */
export function readKeys(file: string): FirstKeys {
  const keys = keysFile.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (!keys.success)
    throw new Error(`${file} holds no call key and admin key: restore it, or remove it to get new keys`);
  return keys.data;
}

function writeKeys(file: string): FirstKeys {
  const keys = { call: makeKey('call').secret, admin: makeKey('admin').secret };
  const temporary = `${file}.new`;
  writeFileSync(temporary, `${JSON.stringify(keys, null, 2)}\n`, { mode: 0o600 });
  chmodSync(temporary, 0o600);
  renameSync(temporary, file);
  return keys;
}

/** The key of all fingerprints of this installation. */
export async function readHashKey(pool: Pool): Promise<Buffer> {
  const { rows } = await pool.query<{ hash_key: Buffer }>('SELECT hash_key FROM installation');
  const [row] = rows;
  if (!row) throw new Error('the table installation is empty: run weir migrate');
  return row.hash_key;
}
