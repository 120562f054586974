import type { PoolClient } from 'pg';
import type { Pool } from './pool.ts';

/** Runs `work` in a transaction of its own: all that it did is committed, or nothing. */
export async function transaction<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  // A connection that is lost fails the query under way; its event must have a listener all the same.
  const ignore = () => {};
  client.on('error', ignore);
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    client.off('error', ignore);
    client.release();
    return result;
  } catch (error) {
    const undone = await client.query('ROLLBACK').then(
      () => true,
      () => false,
    );
    client.off('error', ignore);
    client.release(!undone);
    throw error;
  }
}
