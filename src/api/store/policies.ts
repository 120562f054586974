import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { checkPolicy, type Finding, type PolicyWorld } from '../../config/policy/check.ts';
import { completeDocument } from '../../config/policy/complete.ts';
import { differences } from '../../config/policy/differences.ts';
import { type Policy, policySchema } from '../../config/policy/policy.ts';
import type { Pool } from '../../db/pool.ts';
import { type Change, type Changed, found, refuseDeclared } from '../changes.ts';
import { refuseFindings } from '../findings.ts';
import { listPage, type Page, type PageQuery } from '../paging.ts';
import { Problem } from '../problem.ts';
import { readOrganization } from './organization.ts';

export const policyVersion = z.object({
  version: z.int().describe('0: nothing was ever decided, the defaults are in force.'),
  created_at: z.date().nullable(),
  created_by: z.string().nullable(),
});
export type PolicyVersion = z.output<typeof policyVersion>;

interface PolicyRow extends PolicyVersion {
  document: unknown;
}

const columns = 'version, document, created_at, created_by';
const nothing: PolicyRow = { version: 0, document: {}, created_at: null, created_by: null };

/** The policy in force. */
export async function readPolicy(pool: Pick<Pool, 'query'>, organization: string): Promise<PolicyRow> {
  const { rows } = await pool.query<PolicyRow>(
    `SELECT ${columns} FROM policies WHERE organization = $1 ORDER BY version DESC LIMIT 1`,
    [organization],
  );
  return rows[0] ?? nothing;
}

export function listVersions(
  pool: Pool,
  organization: string,
  page: PageQuery,
): Promise<Page<PolicyVersion>> {
  return listPage<PolicyVersion>(pool, {
    sql: 'SELECT version, created_at, created_by FROM policies WHERE organization = $1',
    values: [organization],
    order: { version: 'integer' },
    page,
  });
}

export async function readVersion(
  pool: Pick<Pool, 'query'>,
  organization: string,
  version: number,
): Promise<PolicyRow> {
  const { rows } = await pool.query<PolicyRow>(
    `SELECT ${columns} FROM policies WHERE organization = $1 AND version = $2`,
    [organization, version],
  );
  return found(rows, 'policy version', String(version));
}

/** What the `defaults` of weir.yaml say: as written, and as read. */
export interface PolicyDefaults {
  document: unknown;
  policy: Policy;
}

/** The whole policy that a document makes, in the words of a document. */
export function resolvedDocument(defaults: PolicyDefaults, document: unknown): Record<string, unknown> {
  return Object(completeDocument(policySchema, defaults.document, document));
}

export interface SaveRequest {
  action: 'policy.set' | 'policy.restore';
  /** The document that is to be in force, made of the one that is. */
  make(current: unknown): unknown;
  /** The version that must be in force; null: any. */
  expected: number | null;
  dryRun: boolean;
}

export interface Saved extends PolicyRow {
  changed: boolean;
  warnings: Finding[];
}

/** Puts a policy in force as a new version; one that changes nothing makes none. Throws a Problem with all that is wrong. */
export async function savePolicy(
  { client, by, actor }: Change,
  { defaults, world }: { defaults: PolicyDefaults; world: PolicyWorld },
  { action, make, expected, dryRun }: SaveRequest,
): Promise<Changed<Saved>> {
  const { declared } = await readOrganization(client, by.organization);
  refuseDeclared(declared, 'the policy of this organization');
  const current = await readPolicy(client, by.organization);
  if (expected !== null && expected !== current.version) {
    const detail = `version ${current.version} is in force, not ${expected}: read it, and decide anew`;
    throw new Problem(409, 'version_conflict', detail, {}, { version: current.version });
  }
  const document = make(current.document);
  const { refused, warnings } = checkPolicy(document, defaults.policy, world);
  refuseFindings('policy_invalid', refused);
  const changed = !isDeepStrictEqual(document, current.document);
  if (!changed || dryRun) return { result: { ...current, document, changed, warnings }, deed: null };
  const { rows } = await client.query<PolicyRow>(
    `INSERT INTO policies (organization, version, document, created_by) VALUES ($1, $2, $3, $4) RETURNING ${columns}`,
    [by.organization, current.version + 1, JSON.stringify(document), actor],
  );
  const saved = found(rows, 'policy version', String(current.version + 1));
  const places = differences(current.document, document).map(({ pointer }) => pointer);
  return {
    result: { ...saved, changed, warnings },
    deed: { action, target: String(saved.version), details: { changed: places.slice(0, 100) } },
  };
}
