import type { CachePolicy } from '../config/policy/cache.ts';
import { matchesGlob } from '../config/policy/glob.ts';
import type { RequestFacts } from '../dialects/dialect.ts';
import type { Headers } from './messages.ts';

/** What a call wants of the cache, and may have of it. */
export interface CacheControl {
  /** May be answered from the cache. */
  read: boolean;
  /** The answer may be kept. */
  write: boolean;
  /** May wait for an equal call, and be waited for. */
  share: boolean;
  /** Only looks: what would be given is counted, what would be kept leaves its key. */
  shadow: boolean;
  /** Never go to the provider. */
  only: boolean;
  /** How long the answer is kept, milliseconds. */
  ttl: number;
  /** Milliseconds that an answer may be old, and must still have. */
  maxAge: number;
  minFresh: number;
}

const wishes = ['use', 'refresh', 'bypass', 'only'] as const;
type Wish = (typeof wishes)[number];

/** What `x-weir-cache` and `x-weir-cache-ttl` say; `wrong` names the first that says nothing sensible. */
export function readWish(headers: Headers): { wish: Wish; ttl: number | null; wrong: string | null } {
  const said = headers.get('x-weir-cache')?.trim().toLowerCase();
  const seconds = headers.get('x-weir-cache-ttl')?.trim();
  const wish = said === undefined ? 'use' : wishes.find((each) => each === said);
  const ttl = seconds !== undefined && /^\d{1,9}$/.test(seconds) ? Number(seconds) * 1000 : null;
  const wrong = !wish
    ? `x-weir-cache: ${said} is none of ${wishes.join(', ')}`
    : seconds !== undefined && ttl === null
      ? `x-weir-cache-ttl: ${seconds} is no number of seconds`
      : null;
  return { wish: wish ?? 'use', ttl, wrong };
}

/**
 * What the caller's headers, the policy and the request allow together. `Cache-Control` as HTTP has it for
 * requests (RFC 9111, 5.2.1): `no-cache`, `no-store`, `max-age`, `min-fresh`, `only-if-cached`.
 */
export function cacheControl(
  headers: Headers,
  policy: CachePolicy,
  facts: Pick<RequestFacts, 'repeatable' | 'deterministic' | 'model'>,
): CacheControl {
  const { wish, ttl } = readWish(headers);
  const standard = directives(headers.get('cache-control') ?? '');
  const seconds = (name: string) => {
    const value = standard.get(name);
    return value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) * 1000 : null;
  };
  const only = wish === 'only' || standard.has('only-if-cached');
  const on = isAllowed(policy, facts) && wish !== 'bypass';
  const shadow = policy.mode === 'shadow';
  const maxAge = seconds('max-age') ?? Number.POSITIVE_INFINITY;
  const read = on && wish !== 'refresh' && !standard.has('no-cache') && maxAge > 0;
  const kept = ttl ?? policy.ttl;
  const write = on && !standard.has('no-store') && kept > 0;
  return {
    read,
    write,
    share: read && write && policy.single_flight && !shadow && !only,
    shadow,
    only,
    ttl: kept,
    maxAge,
    minFresh: seconds('min-fresh') ?? 0,
  };
}

function isAllowed({ mode, models }: CachePolicy, facts: Parameters<typeof cacheControl>[2]): boolean {
  if (mode === 'off' || !facts.repeatable || (mode === 'deterministic' && !facts.deterministic)) return false;
  return models.some((glob) => matchesGlob(glob, facts.model ?? ''));
}

/** Names in lower case with their values, without quotes. */
function directives(header: string): Map<string, string> {
  const parts = header.split(',').map((part) => {
    const [name = '', value = ''] = part.split('=', 2);
    return [name.trim().toLowerCase(), value.trim().replace(/^"(.*)"$/, '$1')] as const;
  });
  return new Map(parts);
}
