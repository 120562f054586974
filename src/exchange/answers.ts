import type { CachedAnswer } from '../cache/cache.ts';
import type { ProviderConfig } from '../config/schema.ts';
import { errorHeaders, type Refusal, refusalStatus, renderError } from '../dialects/errors.ts';
import type { Answer } from './messages.ts';

/** A refusal in the form of the caller's SDK. */
export function refusalAnswer(api: ProviderConfig['api'], refusal: Refusal, id: string): Answer {
  return {
    status: refusalStatus(refusal.code, api),
    headers: {
      'content-type': 'application/json',
      'x-weir-id': id,
      'x-weir-error': refusal.code,
      ...errorHeaders(api, refusal.code),
      ...refusal.headers,
    },
    body: renderError(api, refusal),
  };
}

/** A kept answer, byte for byte as the provider gave it. */
export function hitAnswer(kept: CachedAnswer, headers: Record<string, string>): Answer {
  return { status: kept.status, headers: { 'content-type': kept.contentType, ...headers }, body: kept.body };
}

/** The model, where its name can stand in a header: callers and providers may call it anything. */
export function modelHeader(model: string | null): Record<string, string> {
  return model !== null && /^[\x21-\x7e]{1,256}$/.test(model) ? { 'x-weir-model': model } : {};
}
