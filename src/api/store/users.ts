import { z } from 'zod';
import type { Pool } from '../../db/pool.ts';
import { type Change, type Changed, deedUnlessSame, found } from '../changes.ts';
import { makeId } from '../ids.ts';
import { listPage, newest, type Page, type PageQuery } from '../paging.ts';
import { Problem } from '../problem.ts';
import { type Role, roles } from '../roles.ts';
import { keepingAnAdmin } from './admins.ts';
import { insertInvitation, type NewApiKey } from './keys.ts';

export const user = z.object({
  id: z.string(),
  email: z.string(),
  name: z.string(),
  role: z.enum(roles),
  created_at: z.date(),
  invited_by: z.string().nullable(),
});
export type User = z.output<typeof user>;

const columns = 'id, email, name, role, created_at, invited_by';

export function listUsers(pool: Pool, organization: string, page: PageQuery): Promise<Page<User>> {
  return listPage<User>(pool, {
    sql: `SELECT ${columns} FROM users WHERE organization = $1 AND removed_at IS NULL`,
    values: [organization],
    order: newest,
    page,
  });
}

export async function readUser(pool: Pick<Pool, 'query'>, organization: string, id: string): Promise<User> {
  const { rows } = await pool.query<User>(
    `SELECT ${columns} FROM users WHERE organization = $1 AND id = $2 AND removed_at IS NULL`,
    [organization, id],
  );
  return found(rows, 'user', id);
}

/** A new user with a key of the API, whose secret is told only now. */
export async function inviteUser(
  change: Change,
  { email, name, role }: { email: string; name: string; role: Role },
): Promise<Changed<{ user: User; key: NewApiKey }>> {
  const { client, by, actor } = change;
  const { rows } = await client.query<User>(
    `INSERT INTO users (id, organization, email, name, role, invited_by) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (organization, lower(email)) WHERE removed_at IS NULL DO NOTHING RETURNING ${columns}`,
    [makeId('usr'), by.organization, email, name, role, actor],
  );
  const [made] = rows;
  if (!made) throw new Problem(409, 'user_exists', `there is a user ${email} already`);
  const key = await insertInvitation(change, made.id);
  return {
    result: { user: made, key },
    deed: { action: 'user.invite', target: made.id, details: { email, role, key: key.id } },
  };
}

export async function changeUser(
  change: Change,
  id: string,
  changes: { name?: string | undefined; role?: Role | undefined },
): Promise<Changed<User>> {
  const { client, by } = change;
  const before = await readUser(client, by.organization, id);
  const { name, role } = { ...before, ...changes };
  const { rows } = await keepingAnAdmin(change, () =>
    client.query<User>(`UPDATE users SET name = $2, role = $3 WHERE id = $1 RETURNING ${columns}`, [
      id,
      name,
      role,
    ]),
  );
  const result = found(rows, 'user', id);
  return {
    result,
    deed: deedUnlessSame(before, result, { action: 'user.change', target: id, details: changes }),
  };
}

/** The user goes, and all their keys with them. */
export async function removeUser(change: Change, id: string): Promise<Changed<undefined>> {
  const { client, by } = change;
  const { email } = await readUser(client, by.organization, id);
  const { rows } = await keepingAnAdmin(change, async () => {
    await client.query('UPDATE users SET removed_at = now() WHERE id = $1', [id]);
    return client.query<{ id: string }>(
      'UPDATE api_keys SET revoked_at = now() WHERE user_id = $1 AND revoked_at IS NULL RETURNING id',
      [id],
    );
  });
  const keys = rows.map((row) => row.id);
  return { result: undefined, deed: { action: 'user.remove', target: id, details: { email, keys } } };
}
