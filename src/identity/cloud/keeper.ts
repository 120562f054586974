import type { Logger } from 'pino';
import { within } from '../../redis/deadline.ts';

/** Something that is valid for a time. */
export interface Lease<T> {
  value: T;
  /** Epoch milliseconds; null: for ever, as far as anybody knows. */
  expiresAt: number | null;
}

export interface Keeper<T> {
  /** null: there is none that is still valid. */
  current(): T | null;
  /** Resolves with the first try, whatever comes of it. */
  start(): Promise<void>;
  stop(): void;
}

/** So long before its end a lease is renewed; one that is shorter, at half of it. */
const aheadMs = 4 * 60_000;
/** What does not end is asked for again so often: files and environments change. */
const againMs = 15 * 60_000;
/** One try takes at most so long. */
const timeoutMs = 15_000;
const [firstPauseMs, longestPauseMs] = [1_000, 60_000];

/** Keeps a credential valid, off every call's way: it is renewed ahead of its end, and used to its end where that fails. */
export function createKeeper<T>(options: {
  /** For the log. */
  name: string;
  fetch: () => Promise<Lease<T>>;
  now: () => number;
  /** From 0 up to 1. */
  random: () => number;
  log: Logger;
}): Keeper<T> {
  const { name, fetch, now, random, log } = options;
  let lease: Lease<T> | null = null;
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;

  async function renew(): Promise<void> {
    try {
      lease = await within(timeoutMs, fetch());
      failures = 0;
    } catch (error) {
      failures++;
      log.warn({ err: error, credential: name }, 'a credential could not be renewed');
    }
    if (isStopped) return;
    timer = setTimeout(renew, pauseMs());
    timer.unref();
  }

  function pauseMs(): number {
    if (failures > 0)
      return Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures - 1, 10)) * (0.5 + random() / 2);
    if (!lease || lease.expiresAt === null) return againMs;
    const left = lease.expiresAt - now();
    return Math.max(firstPauseMs, left > 2 * aheadMs ? left - aheadMs : left / 2);
  }

  return {
    current: () => (lease && (lease.expiresAt ?? Number.POSITIVE_INFINITY) > now() ? lease.value : null),
    start: renew,
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
