import type { CachePolicy } from '../config/policy/cache.ts';
import type { Headers } from './messages.ts';

/** What a call wants of the cache. */
export interface CacheControl {
  /** May be answered from the cache. */
  read: boolean;
  /** The answer may be kept. */
  write: boolean;
  /** Never go to the provider. */
  only: boolean;
  /** Milliseconds. */
  ttl: number;
}

/**
 * `x-weir-cache: use | refresh | bypass | only`, `x-weir-cache-ttl: <seconds>`, and standard
 * `Cache-Control: no-cache, no-store, max-age=<seconds>`; the policy's mode `off` wins.
 */
export function cacheControl(headers: Headers, policy: CachePolicy): CacheControl {
  const wish = headers.get('x-weir-cache')?.trim().toLowerCase();
  const standard = (headers.get('cache-control') ?? '').toLowerCase();
  const has = (directive: string) => new RegExp(`(^|[\\s,])${directive}([\\s,]|$)`).test(standard);
  const seconds = headers.get('x-weir-cache-ttl') ?? /(?:^|[\s,])max-age=(\d+)/.exec(standard)?.[1];
  const on = policy.mode !== 'off' && wish !== 'bypass';
  return {
    read: on && wish !== 'refresh' && !has('no-cache') && !has('no-store'),
    write: on && !has('no-store'),
    only: on && wish === 'only',
    ttl: seconds !== undefined && /^\d{1,9}$/.test(seconds) ? Number(seconds) * 1000 : policy.ttl,
  };
}
