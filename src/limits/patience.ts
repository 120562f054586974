import type { RedisConnection } from '../redis/connection.ts';
import { within } from '../redis/deadline.ts';

/** A count waits so much longer for a Redis that answers late, milliseconds: a wrong count is worse than a late one. */
const lateMs = 200;

/**
 * Asks Redis, and waits a little beyond the deadline of the connection for what was asked. Rejects at once while
 * Redis is known to be away.
 */
export async function ask<T>(redis: RedisConnection, work: () => Promise<T>): Promise<T> {
  let asked: Promise<T> | undefined;
  try {
    return await redis.run(() => {
      asked = work();
      return asked;
    });
  } catch (error) {
    if (!asked) throw error;
    return within(lateMs, asked);
  }
}
