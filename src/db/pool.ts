import pg from 'pg';
import type { Logger } from 'pino';

// Counts fit a JavaScript number; money stays a decimal string.
pg.types.setTypeParser(pg.types.builtins.INT8, (text) => Number(text));

export type Pool = pg.Pool;

/** A pool of connections with time-outs everywhere; a connection that dies is replaced, not fatal. */
export function createPool(url: string, options: { log: Logger; max?: number }): Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max: options.max ?? 10,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 30_000,
    statement_timeout: 60_000,
    query_timeout: 65_000,
    application_name: 'weir',
  });
  pool.on('error', (error) =>
    options.log.warn({ err: error.message }, 'a connection to PostgreSQL was lost'),
  );
  // One that dies while it is used tells its query, and then whoever listens.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

/** Whether an error says that PostgreSQL is away or starting: worth another try. SQLSTATE classes 08, 53, 57. */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (/^(08|53|57P)/.test(code) || /^(ECONN|ENOENT|EPIPE|ETIMEDOUT)/.test(code)) return true;
  return /terminat|timeout|not queryable|Client was closed|Connection ended/i.test(error.message);
}

/** Runs `work` on a connection of its own, which is thrown away when it fails. */
export async function withConnection<T>(pool: Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  // A connection that dies while in use tells its query and then everyone; the query's error is enough.
  const ignore = () => {};
  client.on('error', ignore);
  try {
    const result = await work(client);
    client.release();
    return result;
  } catch (error) {
    client.release(true);
    throw error;
  } finally {
    client.off('error', ignore);
  }
}
