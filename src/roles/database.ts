import type { Logger } from 'pino';
import { z } from 'zod';
import type { Settings } from '../config/env.ts';
import { createPool, type Pool } from '../db/pool.ts';
import { embeddedUrl } from '../local/postgres.ts';

/** Works on the database of the config: of an embedded one while `weir up` runs. Throws when it cannot be reached. */
export async function withDatabase(
  { config, paths }: Settings,
  log: Logger,
  work: (pool: Pool) => Promise<void>,
): Promise<void> {
  const { url } = config.postgres;
  const pool = createPool(url === 'embedded' ? embeddedUrl(paths.postgres) : url, { log, max: 1 });
  try {
    await work(pool);
  } catch (error) {
    const hint = url === 'embedded' ? ': the embedded one runs with weir up' : '';
    if (error instanceof Error && 'code' in error && ['ENOENT', 'ECONNREFUSED'].includes(String(error.code)))
      throw new Error(`PostgreSQL cannot be reached${hint}`, { cause: error });
    throw error;
  } finally {
    await pool.end();
  }
}

const date = z.union([z.iso.date(), z.iso.datetime({ offset: true })]);

/** The date in a flag, a day meant as its beginning in UTC. Throws when it is none. */
export function readDate(name: string, value: string | undefined): string {
  const read = date.safeParse(value);
  if (!read.success)
    throw new Error(`--${name}: expected a date such as 2026-01-31, found ${value ?? 'nothing'}`);
  return read.data.length === 10 ? `${read.data}T00:00:00Z` : read.data;
}
