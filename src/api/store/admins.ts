import type { Change } from '../changes.ts';
import { Problem } from '../problem.ts';

/**
 * Makes a change that leaves somebody who may administer the organization: a user, where there was one,
 * and a key. Else throws a Problem, which takes the change back.
 */
export async function keepingAnAdmin<T>(change: Change, work: () => Promise<T>): Promise<T> {
  const before = await admins(change);
  const result = await work();
  const after = await admins(change);
  if (before.users && !after.users)
    throw new Problem(409, 'last_admin', 'this is the last admin: make another user admin first');
  if (before.keys && !after.keys) {
    const detail = 'no other key could administer this organization: make another one first';
    throw new Problem(409, 'last_admin_key', detail);
  }
  return result;
}

/** Whether there are users, and keys, that may administer. */
async function admins({ client, by }: Change): Promise<{ users: boolean; keys: boolean }> {
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
  return rows[0] ?? { users: false, keys: false };
}
