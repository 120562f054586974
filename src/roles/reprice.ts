import { reprice } from '../collector/reprice.ts';
import { createFingerprint } from '../identity/fingerprint.ts';
import { readHashKey } from '../identity/store.ts';
import { createPricer } from '../usage/pricer.ts';
import { createOverrides } from '../usage/prices/overrides.ts';
import { readDate, withDatabase } from './database.ts';
import type { Role } from './run.ts';

/** `weir reprice`: prices past calls anew, for a range of days in UTC, the last one not included. */
export const repriceRange: Role = async ({ settings, log, options }) => {
  const { config } = settings;
  const range = { from: readDate('from', options.from), to: readDate('to', options.to) };
  await withDatabase(settings, log, async (pool) => {
    const fingerprint = createFingerprint(await readHashKey(pool));
    const result = await reprice(pool, range, {
      pricer: createPricer(createOverrides(config.models, config.price_agreements, fingerprint)),
      providers: config.providers,
      dryRun: options.dryRun !== undefined,
    });
    const { looked, changed, adjusted, unpricedBefore, unpricedAfter } = result;
    const would = options.dryRun === undefined ? '' : 'would be ';
    process.stdout.write(
      `${looked} calls with usage: ${changed} ${would}changed, ${adjusted} of closed periods ${would}adjusted; unpriced before: ${unpricedBefore}, after: ${unpricedAfter}\n`,
    );
  });
  return undefined;
};
