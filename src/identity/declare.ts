import { createHash } from 'node:crypto';
import type { ClientBase } from 'pg';
import type { DeclaredOrganization } from '../config/organizations.ts';

/** Any number that is not used as an advisory lock elsewhere in the database. */
const lock = 7_263_402;

/** weir.yaml declares what was made through the API already. */
export class DeclaredTwice extends Error {
  override name = 'DeclaredTwice';

  constructor(what: string) {
    super(`weir.yaml declares ${what}, which was made through the API: remove one of them`);
  }
}

/** The ids of what is declared: the same in every process, and at every start. */
export const declaredKeyId = (hash: string) => `key_${hash.slice(0, 20)}`;
export function declaredBindingId(binding: DeclaredOrganization['bindings'][number]): string {
  const place = JSON.stringify([binding.cluster, binding.namespace, binding.service_account]);
  return `bnd_${createHash('sha256').update(place).digest('hex').slice(0, 20)}`;
}

/**
 * Brings what weir.yaml declares into the database: what is there already stays, what changed is changed,
 * what is declared no more ends: keys are revoked, bindings go, organizations stay and are the API's from
 * then on. Throws DeclaredTwice when a key or a binding is another's already.
 */
export async function declareOrganizations(
  client: ClientBase,
  organizations: readonly DeclaredOrganization[],
): Promise<void> {
  const { rows } = await client.query<{ any: boolean }>(`SELECT EXISTS (
    SELECT FROM organizations WHERE declared UNION ALL SELECT FROM api_keys WHERE declared AND revoked_at IS NULL
    UNION ALL SELECT FROM workload_bindings WHERE declared) AS any`);
  if (organizations.length === 0 && !rows[0]?.any) return;
  await client.query('BEGIN');
  try {
    await client.query('SELECT pg_advisory_xact_lock($1)', [lock]);
    await removeUndeclared(client, organizations);
    for (const each of organizations) await declare(client, each);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
}

async function removeUndeclared(client: ClientBase, organizations: readonly DeclaredOrganization[]) {
  const ids = organizations.map(({ id }) => id);
  const hashes = organizations.flatMap(({ keys }) => keys.map(({ hash }) => Buffer.from(hash, 'hex')));
  const bindings = organizations.flatMap((each) => each.bindings.map(declaredBindingId));
  await client.query('UPDATE organizations SET declared = false WHERE declared AND id <> ALL ($1)', [ids]);
  await client.query(
    'UPDATE api_keys SET revoked_at = now() WHERE declared AND revoked_at IS NULL AND hash <> ALL ($1)',
    [hashes],
  );
  await client.query('DELETE FROM workload_bindings WHERE declared AND id <> ALL ($1)', [bindings]);
}

async function declare(client: ClientBase, { id, name, policy, keys, bindings }: DeclaredOrganization) {
  await client.query(
    `INSERT INTO organizations AS o (id, name, declared) VALUES ($1, $2, true)
     ON CONFLICT (id) DO UPDATE SET name = excluded.name, declared = true
     WHERE (o.name, o.declared) IS DISTINCT FROM (excluded.name, true)`,
    [id, name ?? id],
  );
  await client.query(
    `INSERT INTO policies (organization, version, document, created_by)
     SELECT $1, coalesce(max(version), 0) + 1, $2::jsonb, 'weir.yaml' FROM policies WHERE organization = $1
     HAVING $2::jsonb IS DISTINCT FROM (SELECT document FROM policies WHERE organization = $1 ORDER BY version DESC LIMIT 1)
        AND ($2::jsonb <> '{}' OR count(*) > 0)`,
    [id, JSON.stringify(policy)],
  );
  for (const key of keys) {
    const { rowCount } = await client.query(
      `INSERT INTO api_keys AS k (id, organization, name, prefix, hash, scope, tags, caller_tags, models, providers, expires_at, declared)
       VALUES ($1, $2, $3, '', $4, 'call', $5, $6, $7, $8, $9, true)
       ON CONFLICT (hash) DO UPDATE SET organization = excluded.organization, name = excluded.name, tags = excluded.tags,
         caller_tags = excluded.caller_tags, models = excluded.models, providers = excluded.providers,
         expires_at = excluded.expires_at, revoked_at = NULL
       WHERE k.declared`,
      [
        declaredKeyId(key.hash),
        id,
        key.name,
        Buffer.from(key.hash, 'hex'),
        key.tags,
        key.caller_tags,
        key.models ?? null,
        key.providers ?? null,
        key.expires ?? null,
      ],
    );
    if (rowCount === 0) throw new DeclaredTwice(`the key ${key.name} of organization ${id}`);
  }
  for (const binding of bindings) {
    const { rowCount } = await client.query(
      `INSERT INTO workload_bindings AS b (id, organization, cluster, namespace, service_account, tags, declared)
       VALUES ($1, $2, $3, $4, $5, $6, true)
       ON CONFLICT (cluster, namespace, service_account) DO UPDATE SET organization = excluded.organization, tags = excluded.tags
       WHERE b.declared`,
      [
        declaredBindingId(binding),
        id,
        binding.cluster,
        binding.namespace,
        binding.service_account,
        binding.tags,
      ],
    );
    if (rowCount === 0)
      throw new DeclaredTwice(
        `the binding of ${binding.namespace}/${binding.service_account} of organization ${id}`,
      );
  }
}
