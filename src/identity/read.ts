import type { ClientBase } from 'pg';
import { type IdentityFacts, identityFacts } from './facts.ts';

const list = (query: string) => `(SELECT coalesce(json_agg(row_to_json(each)), '[]') FROM (${query}) each)`;

// One statement sees one state of the database.
const everything = `SELECT json_build_object(
  'version', (SELECT identity_version FROM installation),
  'hashKey', (SELECT encode(hash_key, 'base64') FROM installation),
  'keys', ${list(`
    SELECT id, organization, encode(hash, 'hex') AS hash, tags, caller_tags AS "callerTags", models, providers,
           (extract(epoch FROM expires_at) * 1000)::float8 AS "expiresAt"
      FROM api_keys
     WHERE scope = 'call' AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`)},
  'policies', ${list(`
    SELECT DISTINCT ON (organization) organization, document
      FROM policies ORDER BY organization, version DESC`)},
  'providerKeys', ${list(`
    SELECT id, organization, provider, encode(sealed, 'base64') AS sealed
      FROM provider_keys WHERE revoked_at IS NULL ORDER BY created_at DESC, id DESC`)},
  'bindings', ${list(`
    SELECT id, organization, cluster, namespace, service_account AS "serviceAccount", tags,
           provider_key AS "providerKey"
      FROM workload_bindings`)}
) AS facts`;

/** What the database tells of callers. */
export async function readFacts(client: Pick<ClientBase, 'query'>): Promise<IdentityFacts> {
  const { rows } = await client.query<{ facts: unknown }>(everything);
  return identityFacts.parse(rows[0]?.facts);
}

/** Changes with everything that `readFacts` reads. */
export async function readVersion(client: Pick<ClientBase, 'query'>): Promise<number> {
  const { rows } = await client.query<{ version: number }>(
    'SELECT identity_version AS version FROM installation',
  );
  const [row] = rows;
  if (!row) throw new Error('the table installation is empty: run weir migrate');
  return row.version;
}
