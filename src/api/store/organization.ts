import { z } from 'zod';
import type { Pool } from '../../db/pool.ts';
import { type Change, type Changed, found, refuseDeclared } from '../changes.ts';

export const organization = z.object({
  id: z.string(),
  name: z.string(),
  created_at: z.date(),
  declared: z.boolean().describe('weir.yaml declares it: its name and its policy are changed there.'),
});
export type Organization = z.output<typeof organization>;

const columns = 'id, name, created_at, declared';

export async function readOrganization(pool: Pick<Pool, 'query'>, id: string): Promise<Organization> {
  const { rows } = await pool.query<Organization>(`SELECT ${columns} FROM organizations WHERE id = $1`, [id]);
  return found(rows, 'organization', id);
}

export async function renameOrganization(
  { client, by }: Change,
  name: string,
): Promise<Changed<Organization>> {
  const before = await readOrganization(client, by.organization);
  refuseDeclared(before.declared, 'this organization');
  if (before.name === name) return { result: before, deed: null };
  const { rows } = await client.query<Organization>(
    `UPDATE organizations SET name = $2 WHERE id = $1 RETURNING ${columns}`,
    [before.id, name],
  );
  return {
    result: found(rows, 'organization', before.id),
    deed: { action: 'organization.rename', target: before.id, details: { from: before.name, to: name } },
  };
}
