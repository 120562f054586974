import { makeKey } from '../identity/keys.ts';
import { insertKey, insertOrganization } from '../identity/store.ts';
import { withDatabase } from './database.ts';
import type { Role } from './run.ts';

/** `weir admin-key`: makes an admin key in the database and prints it, for an install that has none yet. */
export const adminKey: Role = async ({ settings, log }) => {
  await withDatabase(settings, log, async (pool) => {
    const key = makeKey('admin');
    const organization = await insertOrganization(pool);
    await insertKey(pool, organization, 'admin key', key);
    process.stderr.write('weir: made an admin key; it is shown now and not again\n');
    process.stdout.write(`${key.secret}\n`);
  });
  return undefined;
};
