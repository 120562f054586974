import type { RedisConnection } from '../redis/connection.ts';
import { within } from '../redis/deadline.ts';

/** A count waits so much longer for a Redis that answers late: a wrong count is worse than a late one. */
const lateMs = 200;
/** What nobody waits for is sent with the next question, or after so long. */
const restMs = 10;
/** More than this is not kept waiting. */
const maxLater = 1_000;

/** How limits and budgets talk with Redis. */
export interface Asker {
  client: RedisConnection['client'];
  /**
   * Asks in this tick, and waits a little beyond the deadline of the connection for what was asked. Rejects at
   * once while Redis is known to be away.
   */
  ask<T>(work: () => Promise<T>): Promise<T>;
  /**
   * Tells what no call waits for. The connection has one pipeline under way at a time: sent by itself, this
   * would keep the next question waiting for a round trip. It is lost when Redis is away.
   */
  tell(work: () => Promise<unknown>): void;
}

export function createAsker(redis: RedisConnection): Asker {
  let later: (() => Promise<unknown>)[] = [];
  let timer: NodeJS.Timeout | undefined;

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    const works = later;
    later = [];
    for (const work of works) redis.run(work).catch(() => {});
  }

  return {
    client: redis.client,
    async ask(work) {
      flush();
      let asked: ReturnType<typeof work> | undefined;
      try {
        return await redis.run(() => {
          asked = work();
          return asked;
        });
      } catch (error) {
        if (!asked) throw error;
        return within(lateMs, asked);
      }
    },
    tell(work) {
      later.push(work);
      if (later.length >= maxLater) flush();
      else timer ??= setTimeout(flush, restMs);
    },
  };
}
