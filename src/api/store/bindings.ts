import { z } from 'zod';
import { coversGlob, globsMeet } from '../../config/policy/glob.ts';
import type { Pool } from '../../db/pool.ts';
import { type Change, type Changed, deedUnlessSame, found, refuseDeclared } from '../changes.ts';
import { makeId } from '../ids.ts';
import { listPage, newest, type Page, type PageQuery } from '../paging.ts';
import { Problem } from '../problem.ts';

export const binding = z.object({
  id: z.string(),
  cluster: z.string(),
  namespace: z.string(),
  service_account: z.string(),
  tags: z.record(z.string(), z.string()),
  provider_key: z.string().nullable().describe('What these workloads use; null: any of the organization.'),
  created_at: z.date(),
  created_by: z.string().nullable(),
  declared: z.boolean().describe('weir.yaml declares it: it is changed there.'),
});
export type Binding = z.output<typeof binding>;

const columns = `id, cluster, namespace, service_account, tags, provider_key, created_at, created_by, declared`;

export interface BindingSpec {
  cluster: string;
  namespace: string;
  service_account: string;
  tags: Record<string, string>;
  provider_key: string | null;
}

export function listBindings(pool: Pool, organization: string, page: PageQuery): Promise<Page<Binding>> {
  return listPage<Binding>(pool, {
    sql: `SELECT ${columns} FROM workload_bindings WHERE organization = $1`,
    values: [organization],
    order: newest,
    page,
  });
}

export async function readBinding(
  pool: Pick<Pool, 'query'>,
  organization: string,
  id: string,
): Promise<Binding> {
  const { rows } = await pool.query<Binding>(
    `SELECT ${columns} FROM workload_bindings WHERE organization = $1 AND id = $2`,
    [organization, id],
  );
  return found(rows, 'binding', id);
}

export async function createBinding(change: Change, spec: BindingSpec): Promise<Changed<Binding>> {
  const { client, by, actor } = change;
  const id = makeId('bnd');
  await checkBinding(change, id, spec);
  const { rows } = await client.query<Binding>(
    `INSERT INTO workload_bindings (id, organization, cluster, namespace, service_account, tags, provider_key, created_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING ${columns}`,
    [
      id,
      by.organization,
      spec.cluster,
      spec.namespace,
      spec.service_account,
      spec.tags,
      spec.provider_key,
      actor,
    ],
  );
  return {
    result: found(rows, 'binding', id),
    deed: { action: 'binding.create', target: id, details: { ...spec } },
  };
}

export async function changeBinding(
  change: Change,
  id: string,
  changes: { [Name in keyof BindingSpec]?: BindingSpec[Name] | undefined },
): Promise<Changed<Binding>> {
  const before = await readBinding(change.client, change.by.organization, id);
  refuseDeclared(before.declared, 'this binding');
  const after: Binding = Object.assign({}, before, changes);
  await checkBinding(change, id, after);
  const { rows } = await change.client.query<Binding>(
    `UPDATE workload_bindings SET cluster = $2, namespace = $3, service_account = $4, tags = $5, provider_key = $6
      WHERE id = $1 RETURNING ${columns}`,
    [id, after.cluster, after.namespace, after.service_account, after.tags, after.provider_key],
  );
  const result = found(rows, 'binding', id);
  return {
    result,
    deed: deedUnlessSame(before, result, { action: 'binding.change', target: id, details: { ...changes } }),
  };
}

export async function removeBinding({ client, by }: Change, id: string): Promise<Changed<undefined>> {
  const { declared, cluster, namespace, service_account } = await readBinding(client, by.organization, id);
  refuseDeclared(declared, 'this binding');
  await client.query('DELETE FROM workload_bindings WHERE id = $1', [id]);
  const details = { cluster, namespace, service_account };
  return { result: undefined, deed: { action: 'binding.remove', target: id, details } };
}

/** Throws a Problem for a binding that takes workloads from somebody, or names a key that is not there. */
async function checkBinding({ client, by }: Change, id: string, spec: BindingSpec): Promise<void> {
  // Organizations change theirs side by side, and each must see what the others have.
  await client.query('LOCK TABLE workload_bindings IN SHARE ROW EXCLUSIVE MODE');
  const { rows } = await client.query<BindingSpec & { organization: string }>(
    'SELECT organization, cluster, namespace, service_account FROM workload_bindings WHERE id <> $1',
    [id],
  );
  const own = rows.filter(({ organization }) => organization === by.organization);
  const others = rows.filter(({ organization }) => organization !== by.organization);
  if (own.some((each) => same(spec, each)) || others.some((each) => takesFrom(spec, each, own))) {
    throw new Problem(409, 'bound_already', 'workloads that this binding names are bound already');
  }
  if (spec.provider_key === null) return;
  const { rowCount } = await client.query(
    'SELECT FROM provider_keys WHERE organization = $1 AND id = $2 AND revoked_at IS NULL',
    [by.organization, spec.provider_key],
  );
  if (rowCount === 0) {
    const detail = `provider_key: there is no provider key ${spec.provider_key} in use`;
    throw new Problem(400, 'invalid_parameter', detail);
  }
}

type Pattern = Pick<BindingSpec, 'cluster' | 'namespace' | 'service_account'>;
const parts = ['cluster', 'namespace', 'service_account'] as const;

function same(a: Pattern, b: Pattern): boolean {
  return parts.every((part) => a[part] === b[part]);
}

function covers(wide: Pattern, narrow: Pattern): boolean {
  return parts.every((part) => coversGlob(wide[part], narrow[part]));
}

/**
 * Whether a binding would take workloads from that of another organization. The most exact one counts: a
 * wider one takes nothing, nor does one within what `own` more exact ones have already.
 */
function takesFrom(binding: Pattern, other: Pattern, own: readonly Pattern[]): boolean {
  if (!parts.every((part) => globsMeet(binding[part], other[part]))) return false;
  if (covers(binding, other) && !same(binding, other)) return false;
  return !own.some((each) => covers(each, binding) && covers(other, each) && !same(other, each));
}
