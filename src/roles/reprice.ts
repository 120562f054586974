import { z } from 'zod';
import { reprice } from '../collector/reprice.ts';
import { createPool } from '../db/pool.ts';
import { createFingerprint } from '../identity/fingerprint.ts';
import { readHashKey } from '../identity/store.ts';
import { embeddedUrl } from '../local/postgres.ts';
import { createPricer } from '../usage/pricer.ts';
import { createOverrides } from '../usage/prices/overrides.ts';
import type { Role } from './run.ts';

const date = z.union([z.iso.date(), z.iso.datetime({ offset: true })]);

/** `weir reprice`: prices past calls anew, for a range of days in UTC, the last one not included. */
export const repriceRange: Role = async ({ settings, log, options }) => {
  const { config, paths } = settings;
  const range = { from: readDate('from', options.from), to: readDate('to', options.to) };
  const { url } = config.postgres;
  const pool = createPool(url === 'embedded' ? embeddedUrl(paths.postgres) : url, { log, max: 1 });
  try {
    const fingerprint = createFingerprint(await readHashKey(pool));
    const result = await reprice(pool, range, {
      pricer: createPricer(createOverrides(config.models, config.price_agreements, fingerprint)),
      baseUrl: (provider) => config.providers[provider]?.base_url,
      dryRun: options.dryRun !== undefined,
    });
    const { looked, changed, unpricedBefore, unpricedAfter } = result;
    const done = options.dryRun === undefined ? 'changed' : 'would change';
    process.stdout.write(
      `${looked} calls with usage: ${changed} ${done}; unpriced before: ${unpricedBefore}, after: ${unpricedAfter}\n`,
    );
  } catch (error) {
    const hint = url === 'embedded' ? ': the embedded one runs with weir up' : '';
    if (error instanceof Error && 'code' in error && ['ENOENT', 'ECONNREFUSED'].includes(String(error.code)))
      throw new Error(`PostgreSQL cannot be reached${hint}`, { cause: error });
    throw error;
  } finally {
    await pool.end();
  }
  return undefined;
};

function readDate(name: string, value: string | undefined): string {
  const read = date.safeParse(value);
  if (!read.success)
    throw new Error(`--${name}: expected a date such as 2026-01-31, found ${value ?? 'nothing'}`);
  return read.data;
}
