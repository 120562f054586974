import { LRUCache } from 'lru-cache';

/** Windows that a process counts in by itself. */
const maxWindows = 100_000;

export interface OwnWindow {
  used: number;
  /** Milliseconds since 1970. */
  readonly endsAt: number;
}

/**
 * Fixed windows that one process counts in alone, each beginning with its first count. Who counts keeps the
 * window it counted in, so what it gives back late changes no later one.
 */
export function createOwnWindows(): (key: string, windowMs: number) => OwnWindow {
  const windows = new LRUCache<string, { used: number; endsAt: number }>({ max: maxWindows });
  return (key, windowMs) => {
    const now = Date.now();
    const known = windows.get(key);
    if (!known || known.endsAt <= now) {
      const window = { used: 0, endsAt: now + windowMs };
      windows.set(key, window);
      return window;
    }
    // One that counts nothing any more has not begun.
    if (known.used <= 0) known.endsAt = now + windowMs;
    return known;
  };
}
