import { isDeepStrictEqual } from 'node:util';
import type { FastifyRequest } from 'fastify';
import type { PoolClient } from 'pg';
import type { Logger } from 'pino';
import type { Pool } from '../db/pool.ts';
import { transaction } from '../db/transaction.ts';
import { principalOf } from './access.ts';
import type { Principal } from './auth.ts';
import { Problem } from './problem.ts';

/** One change, as the activity list tells it. No secrets. */
export interface Deed {
  /** `key.create`, `policy.set`, … */
  action: string;
  target: string | null;
  details?: Record<string, unknown>;
}

/** What a change is made with: its transaction, and who makes it. */
export interface Change {
  client: PoolClient;
  by: Principal;
  /** Who is written down as the maker: the user, else the key. */
  actor: string;
}

/** `deed` null: there was nothing to change. */
export interface Changed<T> {
  result: T;
  deed: Deed | null;
}

/** Makes a change together with its line of the activity list, and logs it; throws what `work` throws. */
export type MakeChange = <T>(
  request: FastifyRequest,
  work: (change: Change) => Promise<Changed<T>>,
) => Promise<T>;

/** Changes of one organization happen one after the other: each sees what the one before has left. */
export function createChanges(pool: Pool, log: Logger): MakeChange {
  return async (request, work) => {
    const by = principalOf(request);
    const actor = by.user ?? by.apiKey;
    const { result, deed } = await transaction(pool, async (client) => {
      await client.query('SELECT FROM organizations WHERE id = $1 FOR NO KEY UPDATE', [by.organization]);
      const changed = await work({ client, by, actor });
      if (changed.deed) await write(client, by, actor, changed.deed, request.ip);
      return changed;
    });
    if (deed) {
      const { organization, apiKey } = by;
      log.info({ audit: { organization, actor, api_key: apiKey, ...deed, address: request.ip } }, 'changed');
    }
    return result;
  };
}

async function write(
  client: PoolClient,
  { organization, apiKey, user }: Principal,
  actor: string,
  { action, target, details = {} }: Deed,
  address: string,
): Promise<void> {
  const all = user === null ? details : { ...details, api_key: apiKey };
  await client.query(
    `INSERT INTO activity (organization, actor, action, target, details, address)
     VALUES ($1, $2, $3, $4, $5, $6)`,
    [organization, actor, action, target, JSON.stringify(all), address],
  );
}

/** null when a thing is as it was before. */
export function deedUnlessSame(before: object, after: object, deed: Deed): Deed | null {
  return isDeepStrictEqual(before, after) ? null : deed;
}

/** What weir.yaml declares is changed there. */
export function refuseDeclared(declared: boolean, what: string): void {
  if (declared)
    throw new Problem(409, 'declared', `${what} comes from weir.yaml (organizations): change it there`);
}

/** The row that an organization has of an id. Throws a Problem when it has none. */
export function found<Row>(rows: readonly Row[], what: string, id: string): Row {
  const [row] = rows;
  if (row === undefined) throw new Problem(404, 'not_found', `there is no ${what} ${id}`);
  return row;
}
