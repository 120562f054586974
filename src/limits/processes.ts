import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { RedisConnection } from '../redis/connection.ts';
import { defineLimitScripts } from './scripts.ts';

const key = 'weir:processes';
const beatMs = 500;
const connectMs = 1_000;
/** A process that was silent for so long does not count any more. */
const aliveMs = 10_000;
/** So long it is known to have been there. */
const keptMs = 600_000;

/** The processes that count together. */
export interface Processes {
  /** This one. */
  readonly id: string;
  /** How many there are, this one included, as far as is known: at least as many as the config says. */
  count(): number;
  /** Those of the last ten minutes; rejects when Redis is away. */
  recent(): Promise<string[]>;
  /** Has Redis know of this one, twice a second; waits a second at most for the connection. */
  start(): Promise<void>;
  stop(): void;
}

/** `configured`: how many there are at least. */
export function createProcesses(redis: RedisConnection | null, configured: number): Processes {
  const id = randomBytes(9).toString('base64url');
  let alive = 1;
  let timer: NodeJS.Timeout | undefined;
  if (redis) defineLimitScripts(redis.client);

  async function beat(): Promise<void> {
    // When Redis does not answer, those who were there are taken to be there still.
    await redis
      ?.run(async () => {
        alive = await redis.client.weirBeat(key, id, aliveMs, keptMs);
      })
      .catch(() => {});
  }

  return {
    id,
    count: () => Math.max(alive, configured),
    recent: async () => (redis ? redis.run(() => redis.client.zrange(key, '0', '-1')) : [id]),
    async start() {
      await connected(redis);
      await beat();
      timer = setInterval(beat, beatMs);
    },
    stop: () => clearInterval(timer),
  };
}

/** A process that takes calls before it has a connection would count them alone. */
async function connected(redis: RedisConnection | null): Promise<void> {
  if (!redis || redis.client.status === 'ready') return;
  await once(redis.client, 'ready', { signal: AbortSignal.timeout(connectMs) }).catch(() => {});
}
