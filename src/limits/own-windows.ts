import { LRUCache } from 'lru-cache';

/** Windows that a process counts in by itself. */
const maxWindows = 100_000;

export interface OwnWindow {
  used(): number;
  /** Milliseconds until it ends. */
  leftMs(): number;
  /** A window that counts nothing any more has not begun. */
  change(delta: number): void;
}

/** Fixed windows that one process counts in alone, each beginning with its first count. */
export function createOwnWindows(): (key: string, windowMs: number) => OwnWindow {
  const windows = new LRUCache<string, { used: number; endsAt: number }>({ max: maxWindows });
  return (key, windowMs) => {
    const now = Date.now();
    const known = windows.get(key);
    const window = known && known.endsAt > now ? known : { used: 0, endsAt: now + windowMs };
    return {
      used: () => window.used,
      leftMs: () => window.endsAt - now,
      change(delta) {
        window.used += delta;
        if (window.used > 0) windows.set(key, window);
        else if (windows.peek(key) === window) windows.delete(key);
      },
    };
  };
}
