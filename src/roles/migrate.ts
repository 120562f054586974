import { migrate } from '../db/migrate.ts';
import { createPool } from '../db/pool.ts';
import type { Role } from './run.ts';

/** `weir migrate`: for a PostgreSQL of the user's; `weir up` migrates the embedded one by itself. */
export const migrateDatabase: Role = async ({ settings, log }) => {
  const { url } = settings.config.postgres;
  if (url === 'embedded') {
    throw new Error(
      'the embedded PostgreSQL runs and is migrated with weir up; set postgres.url to migrate another',
    );
  }
  const pool = createPool(url, { log, max: 1 });
  try {
    const applied = await migrate(pool);
    process.stdout.write(
      `${applied.length === 0 ? 'the schema is current' : `applied ${applied.join(', ')}`}\n`,
    );
  } finally {
    await pool.end();
  }
  return undefined;
};
