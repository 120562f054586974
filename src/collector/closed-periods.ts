import type { PoolClient } from 'pg';
import { bookingsOf, unpriced } from '../analytics/bookings.ts';
import type { Pool } from '../db/pool.ts';

/** A period can be closed so long after its end: what was on its way by then has come. */
export const settlingMs = 3_600_000;

/** Any number that is not used as an advisory lock elsewhere in the database. */
const lock = 7_263_409;

/** A period that cannot be closed; the message says why. */
export class NotClosed extends Error {}

/** What was closed. Money in decimal strings of USD, null: nothing has a price. */
export interface Closed {
  calls: number;
  cost_usd: string | null;
  unpriced: number;
}

/**
 * Closes everything before an instant: from now on its sums stand, and what changes them is booked when it
 * is found. Throws NotClosed when that is too early, or before what is closed already.
 */
export async function closePeriod(pool: Pool, until: string, now: number): Promise<Closed> {
  const at = Date.parse(until);
  if (at > now - settlingMs)
    throw new NotClosed(`${until} is not an hour ago: calls of that time may still come`);
  const client = await pool.connect();
  try {
    return await inTransaction(client, async () => {
      await client.query('SELECT pg_advisory_xact_lock($1)', [lock]);
      const before = await closedUntil(client);
      if (before !== null && at < before.getTime())
        throw new NotClosed(`everything before ${before.toISOString()} is closed already`);
      await client.query('INSERT INTO closed_periods (until) VALUES ($1) ON CONFLICT DO NOTHING', [until]);
      const { rows } = await client.query<Closed>(
        `SELECT count(*) FILTER (WHERE NOT adjusts) AS calls, trim_scale(sum(cost_usd))::text AS cost_usd,
                count(*) FILTER (WHERE ${unpriced}) AS unpriced
           FROM ${await bookingsOf(client)} WHERE started_at < $1 AND started_at >= coalesce($2, '-infinity'::timestamptz)`,
        [until, before],
      );
      const [closed] = rows;
      if (!closed) throw new Error('a sum without a row');
      return closed;
    });
  } finally {
    client.release();
  }
}

/** Before when everything is closed; null: nothing is. */
async function closedUntil(client: PoolClient): Promise<Date | null> {
  const { rows } = await client.query<{ until: Date | null }>(
    'SELECT max(until) AS until FROM closed_periods',
  );
  return rows[0]?.until ?? null;
}

/**
 * Runs `work` in a transaction in which nothing is closed; it is told before when everything is closed.
 */
export function whileOpen<T>(client: PoolClient, work: (closed: Date | null) => Promise<T>): Promise<T> {
  return inTransaction(client, async () => {
    await client.query('SELECT pg_advisory_xact_lock_shared($1)', [lock]);
    return work(await closedUntil(client));
  });
}

async function inTransaction<T>(client: PoolClient, work: () => Promise<T>): Promise<T> {
  await client.query('BEGIN');
  try {
    const result = await work();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
}
