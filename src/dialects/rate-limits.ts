import type { ProviderConfig } from '../config/schema.ts';

/** A limit in the words of a provider's rate-limit headers. */
export interface RateLimit {
  unit: 'requests' | 'tokens';
  limit: number;
  remaining: number;
  resetMs: number;
}

/** A longer wait than this is none that an SDK's own retry can bridge: 60 s is the most that they take. */
const longestWaitMs = 60_000;

/**
 * What the SDKs read to know when to come back: seconds for all, milliseconds for those of OpenAI and
 * Anthropic, and for these whether another try is of use at all.
 */
export function retryHeaders(waitMs: number, never: boolean): Record<string, string> {
  const ms = Math.max(1, Math.ceil(waitMs));
  return {
    'retry-after': String(Math.ceil(ms / 1000)),
    'retry-after-ms': String(ms),
    ...((never || ms > longestWaitMs) && { 'x-should-retry': 'false' }),
  };
}

/** The family's own names for limit, remaining and reset. `now`: epoch milliseconds. */
export function rateLimitHeaders(
  api: ProviderConfig['api'],
  { unit, limit, remaining, resetMs }: RateLimit,
  now: number,
): Record<string, string> {
  if (api === 'openai') {
    return {
      [`x-ratelimit-limit-${unit}`]: String(limit),
      [`x-ratelimit-remaining-${unit}`]: String(remaining),
      [`x-ratelimit-reset-${unit}`]: span(resetMs),
    };
  }
  if (api === 'anthropic') {
    const reset = new Date(Math.ceil((now + resetMs) / 1000) * 1000);
    return {
      [`anthropic-ratelimit-${unit}-limit`]: String(limit),
      [`anthropic-ratelimit-${unit}-remaining`]: String(remaining),
      [`anthropic-ratelimit-${unit}-reset`]: reset.toISOString().replace('.000Z', 'Z'),
    };
  }
  return {};
}

/** Seconds as OpenAI writes them in its rate-limit headers: `6m0s`, `1.5s`. */
export function span(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  const seconds = Math.round((ms % 60_000) / 10) / 100;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}
