import { z } from 'zod';
import type { Keyring } from '../../config/keyring.ts';
import type { Pool } from '../../db/pool.ts';
import { type Change, type Changed, found } from '../changes.ts';
import { makeId } from '../ids.ts';
import { listPage, newest, type Page, type PageQuery } from '../paging.ts';

export const providerKey = z.object({
  id: z.string(),
  provider: z.string(),
  name: z.string(),
  hint: z
    .string()
    .describe('The last four characters, by which people know it again. The key is never told.'),
  created_at: z.date(),
  created_by: z.string().nullable(),
  revoked_at: z.date().nullable(),
});
export type ProviderKey = z.output<typeof providerKey>;

const columns = 'id, provider, name, hint, created_at, created_by, revoked_at';
/** Of a shorter key four characters would be too much. */
const minHintedChars = 16;

export function listProviderKeys(
  pool: Pool,
  query: { organization: string; provider: string | null; revoked: boolean; page: PageQuery },
): Promise<Page<ProviderKey>> {
  return listPage<ProviderKey>(pool, {
    sql: `SELECT ${columns} FROM provider_keys
           WHERE organization = $1 AND ($2::text IS NULL OR provider = $2) AND (revoked_at IS NULL OR $3)`,
    values: [query.organization, query.provider, query.revoked],
    order: newest,
    page: query.page,
  });
}

export async function readProviderKey(
  pool: Pick<Pool, 'query'>,
  organization: string,
  id: string,
): Promise<ProviderKey> {
  const { rows } = await pool.query<ProviderKey>(
    `SELECT ${columns} FROM provider_keys WHERE organization = $1 AND id = $2`,
    [organization, id],
  );
  return found(rows, 'provider key', id);
}

/** Seals the key in the place where it lies: src/config/keyring.ts. */
export async function addProviderKey(
  { client, by, actor }: Change,
  keyring: Keyring,
  { provider, name, key }: { provider: string; name: string; key: string },
): Promise<Changed<ProviderKey>> {
  const id = makeId('pk');
  const { rows } = await client.query<ProviderKey>(
    `INSERT INTO provider_keys (id, organization, provider, name, hint, sealed, created_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING ${columns}`,
    [
      id,
      by.organization,
      provider,
      name,
      key.length < minHintedChars ? '' : key.slice(-4),
      keyring.seal(Buffer.from(key), `provider_key:${id}`),
      actor,
    ],
  );
  return {
    result: found(rows, 'provider key', id),
    deed: { action: 'provider_key.add', target: id, details: { provider, name } },
  };
}

/** The key is destroyed, and bindings that named it use any other of the organization. */
export async function revokeProviderKey({ client, by }: Change, id: string): Promise<Changed<undefined>> {
  const { provider, name, revoked_at } = await readProviderKey(client, by.organization, id);
  if (revoked_at) return { result: undefined, deed: null };
  await client.query(`UPDATE provider_keys SET revoked_at = now(), sealed = '' WHERE id = $1`, [id]);
  const { rows } = await client.query<{ id: string }>(
    'UPDATE workload_bindings SET provider_key = NULL WHERE provider_key = $1 RETURNING id',
    [id],
  );
  const bindings = rows.map((row) => row.id);
  return {
    result: undefined,
    deed: { action: 'provider_key.revoke', target: id, details: { provider, name, bindings } },
  };
}
