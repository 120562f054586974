import type { Change } from '../changes.ts';
import { Problem } from '../problem.ts';

/**
 * Takes a change back (by throwing a Problem) that leaves an organization without a key that may
 * administer it, or, where it had users who may, without one.
 */
export async function keepAnAdmin({ client, by }: Change, wasAdmin: boolean): Promise<void> {
  const { rows } = await client.query<{ users: boolean; keys: boolean }>(
    `SELECT
       EXISTS (SELECT FROM users WHERE organization = $1 AND role = 'admin' AND removed_at IS NULL) AS users,
       EXISTS (
         SELECT FROM api_keys k LEFT JOIN users u ON u.id = k.user_id
          WHERE k.organization = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
            AND u.removed_at IS NULL
            AND (k.scope = 'admin' OR k.scope = 'api' AND coalesce(k.role, u.role) = 'admin'
                 AND coalesce(u.role, 'admin') = 'admin')
       ) AS keys`,
    [by.organization],
  );
  const [left] = rows;
  if (wasAdmin && !left?.users)
    throw new Problem(409, 'last_admin', 'this is the last admin: make another user admin first');
  if (!left?.keys) {
    throw new Problem(
      409,
      'last_admin_key',
      'no other key could administer this organization: make another one first',
    );
  }
}
