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
   * once while Redis is known to be away. What is asked in one tick is one round trip, and fails as one.
   */
  ask<T>(work: () => Promise<T>): Promise<T>;
  /**
   * Tells what no call waits for. The connection has one pipeline under way at a time: sent by itself, this
   * would keep the next question waiting for a round trip. It is lost when Redis is away.
   */
  tell(work: () => Promise<unknown>): void;
}

type Work = () => Promise<unknown>;

export function createAsker(redis: RedisConnection): Asker {
  let later: Work[] = [];
  let timer: NodeJS.Timeout | undefined;
  let questions: Work[] = [];
  let trip: Promise<void> | null = null;

  /** All that is to be asked and told by now, as one; resolves when it is answered or late. */
  async function travel(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    trip = null;
    const [told, asked] = [later, questions];
    later = [];
    questions = [];
    await redis
      .run(() => {
        for (const work of told) work().catch(() => {});
        return Promise.all(asked.map((work) => work()));
      })
      .catch(() => {});
  }

  return {
    client: redis.client,
    async ask<T>(work: () => Promise<T>): Promise<T> {
      let asked: Promise<T> | undefined;
      questions.push(() => {
        asked = work();
        return asked;
      });
      trip ??= Promise.resolve().then(travel);
      await trip;
      if (!asked) throw new Error('Redis is away');
      return within(lateMs, asked);
    },
    tell(work) {
      later.push(work);
      if (later.length >= maxLater) trip ??= Promise.resolve().then(travel);
      else timer ??= setTimeout(travel, restMs);
    },
  };
}
