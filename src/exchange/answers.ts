import type { CachedAnswer } from '../cache/cache.ts';
import type { ProviderConfig } from '../config/schema.ts';
import { type Refusal, refusalStatus, renderError } from '../dialects/errors.ts';
import type { LimitState } from '../limits/limits.ts';
import type { Answer } from './messages.ts';

/** A refusal in the form of the caller's SDK. */
export function refusalAnswer(api: ProviderConfig['api'], refusal: Refusal, id: string): Answer {
  return {
    status: refusalStatus(refusal.code),
    headers: {
      'content-type': 'application/json',
      'x-weir-id': id,
      'x-weir-error': refusal.code,
      ...refusal.headers,
    },
    body: renderError(api, refusal),
  };
}

/** A kept answer, byte for byte as the provider gave it. */
export function hitAnswer(kept: CachedAnswer, headers: Record<string, string>): Answer {
  return { status: kept.status, headers: { 'content-type': kept.contentType, ...headers }, body: kept.body };
}

/** Seconds as OpenAI writes them in its rate-limit headers: `6m0s`, `1.5s`. */
function span(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  const seconds = Math.round((ms % 60_000) / 10) / 100;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}

/** weir's own limits, on every reply that it can say something of. */
export function limitHeaders(state: LimitState | null): Record<string, string> {
  if (!state) return {};
  return {
    'x-weir-ratelimit-limit': String(state.limit),
    'x-weir-ratelimit-remaining': String(state.remaining),
    'x-weir-ratelimit-reset': String(Math.ceil(state.resetMs / 1000)),
  };
}

/** A refused call, with what the SDKs read to know when to come back. */
export function limitRefusal(state: LimitState): Refusal {
  const who = state.per === 'ip' ? 'this address' : `this ${state.per}`;
  const seconds = Math.ceil(state.resetMs / 1000);
  return {
    code: 'rate_limit_exceeded',
    message: `Rate limit reached for ${who} (${state.name}): ${state.limit} requests a window. Please try again in ${span(state.resetMs)}.`,
    headers: {
      'retry-after': String(Math.max(1, seconds)),
      'retry-after-ms': String(Math.max(1, Math.ceil(state.resetMs))),
      'x-ratelimit-limit-requests': String(state.limit),
      'x-ratelimit-remaining-requests': '0',
      'x-ratelimit-reset-requests': span(state.resetMs),
      ...limitHeaders(state),
    },
  };
}
