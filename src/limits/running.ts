import type { LimitConfig } from '../config/policy/limits.ts';
import type { Asker } from './asker.ts';
import { type Counted, shareOf, stateOf } from './counted.ts';
import type { Processes } from './processes.ts';

/** A call of which nobody has said so long that it runs is taken to be over: its process was killed. */
const ttlMs = 30_000;
const refreshMs = 8_000;
/** When it is worth another try: nobody knows how long a call runs. */
const retryMs = 1_000;

export interface RunningCalls {
  /** Counts a call if there is room; the command for the store is sent in this tick. Never rejects. */
  enter(limit: LimitConfig, key: string, id: string): Promise<Counted>;
  start(): void;
  stop(): void;
}

interface Entered {
  fits: boolean;
  /** Calls that run, this one included if it fits. */
  now: number;
  most: number;
}

/**
 * Calls that run at a time. Over Redis all processes count together, and the calls of a killed process count
 * for half a minute more; while it is away each lets its share run.
 */
export function createRunningCalls(redis: Asker | null, processes: Processes): RunningCalls {
  /** Those of this process. */
  const running = new Map<string, Set<string>>();
  let timer: NodeJS.Timeout | undefined;

  function refresh(): void {
    // Also for a Redis that was emptied: it hears of the calls again.
    for (const [key, ids] of running) redis?.tell(() => redis.client.weirStay(key, ttlMs, ...ids));
  }

  function add(key: string, id: string): void {
    running.set(key, (running.get(key) ?? new Set()).add(id));
  }

  function leave(key: string, id: string): void {
    const own = running.get(key);
    own?.delete(id);
    if (own?.size === 0) running.delete(key);
    redis?.tell(() => redis.client.zrem(key, id));
  }

  function enterAlone(key: string, id: string, most: number, force: boolean): Entered {
    const others = running.get(key)?.size ?? 0;
    const fits = others < most || force;
    if (fits) add(key, id);
    // The store may have counted it without our having heard.
    else leave(key, id);
    return { fits, now: others + (fits ? 1 : 0), most };
  }

  async function enter(key: string, id: string, most: number, force: boolean): Promise<Entered> {
    if (!redis) return enterAlone(key, id, most, force);
    try {
      const [fits, now] = await redis.ask(() => redis.client.weirEnter(key, id, most, ttlMs, force ? 1 : 0));
      if (fits === 1) add(key, id);
      return { fits: fits === 1, now, most };
    } catch {
      return enterAlone(key, id, shareOf(most, processes.count()), force);
    }
  }

  return {
    async enter(limit, storeKey, id) {
      const { concurrent = 0, shadow = false } = limit;
      const key = `weir:running:${storeKey}`;
      const { fits, now, most } = await enter(key, id, concurrent, shadow);
      return {
        state: stateOf(limit, 'concurrent', { limit: concurrent, remaining: most - now, resetMs: retryMs }),
        exceeded: !fits || now > most,
        never: false,
        correct() {
          if (fits) leave(key, id);
        },
      };
    },
    start() {
      timer = setInterval(refresh, refreshMs);
    },
    stop: () => clearInterval(timer),
  };
}
