import { z } from 'zod';
import type { Pool } from '../../db/pool.ts';
import { listPage, type Page, type PageQuery } from '../paging.ts';

export const deed = z.object({
  id: z.string(),
  at: z.date(),
  actor: z.string().describe('The id of the user, else of the key.'),
  actor_name: z.string().nullable().describe('The user’s address or the key’s name.'),
  action: z.string().describe('Such as `key.create` or `policy.set`.'),
  target: z.string().nullable().describe('The id of what was changed.'),
  details: z.record(z.string(), z.unknown()),
  address: z.string().nullable().describe('Where the request came from.'),
});
export type DeedRow = z.output<typeof deed>;

export function listActivity(
  pool: Pool,
  query: {
    organization: string;
    actor: string | null;
    action: string | null;
    target: string | null;
    page: PageQuery;
  },
): Promise<Page<DeedRow>> {
  const { organization, actor, action, target, page } = query;
  return listPage<DeedRow>(pool, {
    sql: `SELECT a.id::text, a.id AS number, a.at, a.actor, coalesce(u.email, k.name) AS actor_name, a.action,
                 a.target, a.details, a.address
            FROM activity a LEFT JOIN users u ON u.id = a.actor LEFT JOIN api_keys k ON k.id = a.actor
           WHERE a.organization = $1 AND ($2::text IS NULL OR a.actor = $2)
             AND ($3::text IS NULL OR a.action = $3) AND ($4::text IS NULL OR a.target = $4)`,
    values: [organization, actor, action, target],
    order: { number: 'bigint' },
    page,
  });
}
