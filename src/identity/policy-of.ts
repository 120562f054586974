import type { Policy } from '../config/policy/policy.ts';
import { resolvePolicy } from '../config/policy/resolve.ts';
import type { Pool } from '../db/pool.ts';

/** The policy of an organization, as the database has it now: for people and programs, not for calls. */
export async function readPolicy(pool: Pool, defaults: Policy, organization: string): Promise<Policy> {
  const { rows } = await pool.query<{ document: unknown }>(
    'SELECT document FROM policies WHERE organization = $1 ORDER BY version DESC LIMIT 1',
    [organization],
  );
  const [row] = rows;
  return row ? resolvePolicy(defaults, row.document) : defaults;
}
