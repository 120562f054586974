import { Cluster, Redis, ReplyError } from 'ioredis';
import type { Logger } from 'pino';
import { Breaker } from './breaker.ts';
import { within } from './deadline.ts';

/** What a call waits for Redis at most, once: then it is taken to be away until a probe is answered as fast. */
const defaultWaitMs = 20;
/** A connection that was silent so long after a command is made anew. */
const silenceMs = 2_000;
const connectMs = 2_000;
const maxReconnectMs = 2_000;
/** What Redis refuses is logged once in this time. */
const warnEveryMs = 60_000;

/** Redis as the rest of weir sees it. */
export interface RedisConnection {
  client: Redis | Cluster;
  /**
   * Runs commands, with a deadline of 20 ms; rejects at once while Redis does not answer. Commands begun in
   * the same tick are one round trip. `tag`: the hash tag of the keys, which in a Cluster tells the node: one
   * that is away is not held against the others.
   */
  run<T>(work: () => Promise<T>, tag?: string): Promise<T>;
  /** A connection of its own for messages: a connection that listens can do nothing else. */
  listener(): Redis | Cluster;
  /** Says goodbye, or hangs up on a Redis that does not answer. */
  close(): Promise<void>;
}

/** Connects to one Redis (its URL) or to a Cluster (URLs of its nodes); does not wait for it. */
export function connectRedis(
  url: string | string[],
  log: Logger,
  { waitMs = defaultWaitMs } = {},
): RedisConnection {
  const connect = () => (Array.isArray(url) ? clusterOf(url) : new Redis(url, clientOptions));
  const client = connect();
  const breakers = new Map<string, Breaker>();
  let listener: Redis | Cluster | null = null;
  let away = false;
  let warnedAt = Number.NEGATIVE_INFINITY;

  const lost = (error: unknown) => {
    if (!away) log.warn({ err: text(error) }, 'Redis is away: the cache misses, each process limits alone');
    away = true;
  };
  const found = () => {
    if (away) log.info('Redis is back');
    away = false;
  };
  const refused = (error: unknown) => {
    const now = performance.now();
    if (now - warnedAt < warnEveryMs) return;
    warnedAt = now;
    log.warn({ err: text(error) }, 'Redis refuses a command');
  };
  client.on('error', lost);
  client.on('ready', () => {
    for (const breaker of breakers.values()) breaker.close();
    found();
  });

  function breakerOf(tag: string): Breaker {
    const part = client instanceof Cluster ? tag : '';
    const known = breakers.get(part);
    if (known) return known;
    const breaker = new Breaker({
      waitMs,
      probe: () => replyOf(client.exists(`weir:{${part}}`)),
      opened: lost,
      closed: () => [...breakers.values()].some(({ isOpen }) => isOpen) || found(),
    });
    breakers.set(part, breaker);
    return breaker;
  }

  return {
    client,
    async run(work, tag = '') {
      const reply = await breakerOf(tag).run(() => replyOf(work()));
      if (!reply.refused) return reply.value;
      refused(reply.error);
      throw reply.error;
    },
    listener() {
      listener ??= connect().on('error', () => {});
      return listener;
    },
    async close() {
      for (const breaker of breakers.values()) breaker.stop();
      listener?.disconnect();
      await within(silenceMs, client.quit()).catch(() => client.disconnect());
    },
  };
}

/** Pauses grow to two seconds, with jitter, so that not all processes come back at once. */
function reconnectMs(attempt: number): number {
  return Math.min(50 * 2 ** Math.min(attempt, 8), maxReconnectMs) * (0.5 + Math.random() / 2);
}

const clientOptions = {
  enableAutoPipelining: true,
  // Without a connection commands fail at once: nothing waits, nothing piles up, nothing is sent twice.
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  connectTimeout: connectMs,
  socketTimeout: silenceMs,
  retryStrategy: reconnectMs,
};

function clusterOf(urls: string[]): Cluster {
  // Nodes that the cluster tells of come without credentials and TLS: those of the first URL count for all.
  const { username, password, protocol } = new URL(urls[0] ?? '');
  return new Cluster(urls, {
    enableAutoPipelining: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: reconnectMs,
    // Names stay names: a certificate is made out to them.
    dnsLookup: (address, callback) => callback(null, address),
    redisOptions: {
      ...clientOptions,
      ...(username !== '' && { username: decodeURIComponent(username) }),
      ...(password !== '' && { password: decodeURIComponent(password) }),
      ...(protocol === 'rediss:' && { tls: {} }),
    },
  });
}

type Reply<T> = { refused: false; value: T } | { refused: true; error: unknown };

/** An error that Redis answers with shows that it answers: for the breaker it is a success. */
async function replyOf<T>(work: Promise<T>): Promise<Reply<T>> {
  try {
    return { refused: false, value: await work };
  } catch (error) {
    if (error instanceof ReplyError) return { refused: true, error };
    throw error;
  }
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
