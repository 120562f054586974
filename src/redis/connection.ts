import { Cluster, Redis, ReplyError } from 'ioredis';
import type { Logger } from 'pino';
import { Breaker } from './breaker.ts';
import { within } from './deadline.ts';

/**
 * What a call waits for Redis at most. In one data centre an answer takes one or two milliseconds; fifty
 * leave room for a fork of Redis or a large answer, and are little beside a call to a model.
 */
const waitMs = 50;
/** A connection that was silent so long after a command is made anew. */
const silenceMs = 2_000;
const connectMs = 2_000;
const maxReconnectMs = 2_000;
/** Errors that Redis answers with are logged once in this time. */
const warnEveryMs = 60_000;

/** Redis as the rest of weir sees it. */
export interface RedisConnection {
  client: Redis | Cluster;
  /**
   * Runs commands with a deadline (50 ms) behind a breaker: rejects at once while Redis does not answer.
   * Commands that are begun in the same tick are one round trip.
   */
  run<T>(work: () => Promise<T>): Promise<T>;
  /** Says goodbye when Redis listens, else hangs up. */
  close(): Promise<void>;
}

/** Connects to one Redis (a URL) or to a Cluster (the URLs of some of its nodes); does not wait for it. */
export function connectRedis(url: string | string[], log: Logger): RedisConnection {
  const client = createClient(url);
  const breaker = new Breaker(() => performance.now());
  let away = false;
  let warnedAt = Number.NEGATIVE_INFINITY;
  const warn = (error: unknown, message: string) => {
    if (!away && performance.now() - warnedAt < warnEveryMs) return;
    warnedAt = performance.now();
    log.warn({ err: error instanceof Error ? error.message : String(error) }, message);
  };
  const lost = (error: unknown) => {
    if (away) return;
    away = true;
    warn(error, 'Redis is away: the cache misses, and each process limits alone');
  };
  const found = () => {
    if (away) log.info('Redis is back');
    away = false;
  };
  client.on('error', lost);
  client.on('ready', () => {
    breaker.close();
    found();
  });

  return {
    client,
    async run(work) {
      const reply = await breaker.run(() => within(waitMs, replyOf(work())), lost);
      found();
      if ('value' in reply) return reply.value;
      warn(reply.error, 'Redis refuses a command');
      throw reply.error;
    },
    async close() {
      await within(silenceMs, client.quit()).catch(() => client.disconnect());
    },
  };
}
