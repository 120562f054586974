import { z } from 'zod';
import type { Pool } from '../../db/pool.ts';
import { makeKey } from '../../identity/keys.ts';
import type { Principal } from '../auth.ts';
import { type Change, type Changed, deedUnlessSame, found, refuseDeclared } from '../changes.ts';
import { listPage, newest, type Page, type PageQuery } from '../paging.ts';
import { Problem } from '../problem.ts';
import { isAtLeast, lesser, type Role, roles } from '../roles.ts';
import { keepingAnAdmin } from './admins.ts';

export const apiKey = z.object({
  id: z.string(),
  name: z.string(),
  prefix: z.string().describe('How it begins: people know it again by that.'),
  scope: z
    .enum(['call', 'api', 'admin'])
    .describe('`call` makes calls, `api` asks the API, `admin` is that of the machine and may everything.'),
  role: z
    .enum(roles)
    .nullable()
    .describe(
      'Of a key of scope `api`: the most that it may, and no more than its user. null: what its user may.',
    ),
  user: z.string().nullable().describe('Whose it is; it ends with them. null: the organization’s.'),
  tags: z.record(z.string(), z.string()),
  caller_tags: z.boolean(),
  models: z.array(z.string()).nullable(),
  providers: z.array(z.string()).nullable(),
  created_at: z.date(),
  created_by: z.string().nullable(),
  expires_at: z.date().nullable(),
  last_used_at: z.date().nullable().describe('To the minute.'),
  revoked_at: z.date().nullable(),
  declared: z.boolean().describe('weir.yaml declares it: it is changed there.'),
});
export type ApiKey = z.output<typeof apiKey>;

export const newApiKey = apiKey.extend({ secret: z.string().describe('The key itself: told only now.') });
export type NewApiKey = z.output<typeof newApiKey>;

const columns = `id, name, prefix, scope, role, user_id AS "user", tags, caller_tags, models, providers,
  created_at, created_by, expires_at, last_used_at, revoked_at, declared`;

/** What one says of a key when it is made. */
export interface KeySpec {
  scope: 'call' | 'api';
  name: string;
  role?: Role | undefined;
  /** Whose it is to be. */
  user?: string | undefined;
  tags?: Record<string, string> | undefined;
  caller_tags?: boolean | undefined;
  models?: string[] | null | undefined;
  providers?: string[] | null | undefined;
  expires_at?: string | null | undefined;
}

export type KeyChanges = Partial<Omit<KeySpec, 'scope' | 'role' | 'user'>>;

export async function listKeys(
  pool: Pool,
  query: {
    organization: string;
    scope: string | null;
    user: string | null;
    revoked: boolean;
    page: PageQuery;
  },
): Promise<Page<ApiKey>> {
  const { organization, scope, user, revoked, page } = query;
  return listPage<ApiKey>(pool, {
    sql: `SELECT ${columns} FROM api_keys
           WHERE organization = $1 AND ($2::text IS NULL OR scope = $2)
             AND ($3::text IS NULL OR user_id = $3) AND (revoked_at IS NULL OR $4)`,
    values: [organization, scope, user, revoked],
    order: newest,
    page,
  });
}

export async function readKey(pool: Pick<Pool, 'query'>, organization: string, id: string): Promise<ApiKey> {
  const { rows } = await pool.query<ApiKey>(
    `SELECT ${columns} FROM api_keys WHERE organization = $1 AND id = $2`,
    [organization, id],
  );
  return found(rows, 'key', id);
}

/** A new key and, only now, its secret. */
export async function createKey(change: Change, spec: KeySpec): Promise<Changed<NewApiKey>> {
  const { client, by, actor } = change;
  const user = by.role === 'admin' ? (spec.user ?? null) : by.user;
  if (spec.user !== undefined && spec.user !== user)
    throw new Problem(403, 'not_yours', 'only an admin makes keys for others');
  const role = await roleFor(change, spec, user);
  const key = makeKey(spec.scope);
  const { rows } = await client.query<ApiKey>(
    `INSERT INTO api_keys (id, organization, name, prefix, hash, scope, role, user_id, tags, caller_tags,
       models, providers, expires_at, created_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) RETURNING ${columns}`,
    [
      key.id,
      by.organization,
      spec.name,
      key.prefix,
      key.hash,
      spec.scope,
      role,
      user,
      spec.tags ?? {},
      spec.caller_tags ?? true,
      spec.models ?? null,
      spec.providers ?? null,
      spec.expires_at ?? null,
      actor,
    ],
  );
  const made = found(rows, 'key', key.id);
  const { name, scope, expires_at } = made;
  return {
    result: { ...made, secret: key.secret },
    deed: { action: 'key.create', target: made.id, details: { name, scope, role, user, expires_at } },
  };
}

/** The role of a new key: never more than its maker and its owner have. */
async function roleFor({ client, by }: Change, spec: KeySpec, user: string | null): Promise<Role | null> {
  const owner = user === null ? null : await roleOfUser(client, by.organization, user);
  if (spec.scope === 'call') return null;
  const most = owner === null ? by.role : lesser(by.role, owner);
  if (spec.role !== undefined && !isAtLeast(most, spec.role))
    throw new Problem(403, 'role_not_allowed', `role: expected at most ${most}, found ${spec.role}`);
  return spec.role ?? most;
}

async function roleOfUser(client: Pick<Pool, 'query'>, organization: string, user: string): Promise<Role> {
  const { rows } = await client.query<{ role: Role }>(
    'SELECT role FROM users WHERE organization = $1 AND id = $2 AND removed_at IS NULL',
    [organization, user],
  );
  const [row] = rows;
  if (!row) throw new Problem(400, 'invalid_parameter', `user: there is no user ${user}`);
  return row.role;
}

/** The key, when whoever makes the change may change it. */
async function ownKey({ client, by }: Change, id: string): Promise<ApiKey> {
  const key = await readKey(client, by.organization, id);
  if (by.role !== 'admin' && !isOwn(key, by))
    throw new Problem(403, 'not_yours', 'only an admin changes keys of others');
  refuseDeclared(key.declared, 'this key');
  return key;
}

function isOwn({ user, created_by }: ApiKey, by: Principal): boolean {
  return by.user === null ? user === null && created_by === by.apiKey : user === by.user;
}

export async function changeKey(change: Change, id: string, changes: KeyChanges): Promise<Changed<ApiKey>> {
  const before = await ownKey(change, id);
  if (before.revoked_at) throw new Problem(409, 'revoked', 'this key was revoked: make a new one');
  const limits = [changes.tags, changes.caller_tags, changes.models, changes.providers];
  if (before.scope !== 'call' && limits.some((each) => each !== undefined))
    throw new Problem(400, 'invalid_parameter', 'tags, models and providers are of keys that make calls');
  const after = { ...before, ...changes };
  const { rows } = await keepingAnAdmin(change, () =>
    change.client.query<ApiKey>(
      `UPDATE api_keys SET name = $2, tags = $3, caller_tags = $4, models = $5, providers = $6, expires_at = $7
        WHERE id = $1 RETURNING ${columns}`,
      [id, after.name, after.tags, after.caller_tags, after.models, after.providers, after.expires_at],
    ),
  );
  const result = found(rows, 'key', id);
  return {
    result,
    deed: deedUnlessSame(before, result, { action: 'key.change', target: id, details: { ...changes } }),
  };
}

export async function revokeKey(change: Change, id: string): Promise<Changed<undefined>> {
  const { name, scope, revoked_at } = await ownKey(change, id);
  if (revoked_at) return { result: undefined, deed: null };
  await keepingAnAdmin(change, () =>
    change.client.query('UPDATE api_keys SET revoked_at = now() WHERE id = $1', [id]),
  );
  return { result: undefined, deed: { action: 'key.revoke', target: id, details: { name, scope } } };
}

/** The first key of a new user: it may what they may. */
export async function insertInvitation({ client, by, actor }: Change, user: string): Promise<NewApiKey> {
  const key = makeKey('api');
  const { rows } = await client.query<ApiKey>(
    `INSERT INTO api_keys (id, organization, name, prefix, hash, scope, user_id, created_by)
     VALUES ($1, $2, 'invitation', $3, $4, 'api', $5, $6) RETURNING ${columns}`,
    [key.id, by.organization, key.prefix, key.hash, user, actor],
  );
  return { ...found(rows, 'key', key.id), secret: key.secret };
}
