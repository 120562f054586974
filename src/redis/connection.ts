import { Cluster, Redis } from 'ioredis';
import type { Logger } from 'pino';
import { Breaker } from './breaker.ts';

/** On the way of a call: longer than this Redis is worth less than going without it. */
const commandTimeoutMs = 250;
const maxReconnectMs = 2_000;

export type RedisClient = Redis | Cluster;

/** Redis as the rest of weir sees it: every use goes through the breaker. */
export interface RedisConnection {
  client: RedisClient;
  breaker: Breaker;
  close(): Promise<void>;
}

/**
 * Connects to one Redis or to a Cluster (a list of its nodes). Commands of one tick travel in one
 * pipeline; without a connection they fail at once instead of waiting.
 */
export function connectRedis(url: string | string[], log: Logger): RedisConnection {
  const options = {
    enableAutoPipelining: true,
    enableOfflineQueue: false,
    connectTimeout: 2_000,
    commandTimeout: commandTimeoutMs,
    maxRetriesPerRequest: 0,
  };
  const reconnect = (attempt: number) =>
    Math.min(50 * 2 ** Math.min(attempt, 8), maxReconnectMs) * (0.5 + Math.random() / 2);
  const client = Array.isArray(url)
    ? new Cluster(url, {
        enableAutoPipelining: true,
        enableOfflineQueue: false,
        clusterRetryStrategy: reconnect,
        redisOptions: options,
      })
    : new Redis(url, { ...options, retryStrategy: reconnect });
  let away = false;
  client.on('ready', () => {
    if (away) log.info('Redis is back');
    away = false;
  });
  client.on('error', (error: Error) => {
    if (!away) log.warn({ err: error.message }, 'Redis is away: each process limits alone, the cache misses');
    away = true;
  });
  return {
    client,
    breaker: new Breaker({ now: Date.now }),
    async close() {
      await client.quit().catch(() => client.disconnect());
    },
  };
}
