import type { ProviderConfig } from '../config/schema.ts';
import { errorHeaders, type Refusal, refusalStatus, renderError } from '../dialects/errors.ts';
import type { Standing } from '../limits/limits.ts';
import type { UsageRecord } from '../usage/record.ts';
import type { Arrival } from './arrival.ts';
import { savingOf } from './baseline.ts';
import { standingHeaders } from './denials.ts';
import type { Lookup } from './lookup.ts';
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

/** For `x-weir-cache: only`, and `only-if-cached`. */
export const notKept: Refusal = {
  code: 'cache_miss',
  message:
    'The answer is not in the cache, and the request forbids asking the provider (x-weir-cache: only).',
};

/** What every caller is told of its call, and of its limits. `now`: epoch milliseconds. */
export function ownHeaders(
  id: string,
  arrival: Arrival | null,
  known: { lookup: Lookup | null; standing: Standing | null; now: number },
): Record<string, string> {
  const { lookup, standing, now } = known;
  return {
    'x-weir-id': id,
    ...(arrival && { 'x-weir-provider': arrival.target.provider }),
    ...(lookup?.key && { 'x-weir-cache-key': lookup.key }),
    ...(standing && standingHeaders(standing, now)),
  };
}

/** What a call has cost, and what routing has saved, where that is known. */
export function moneyHeaders(record: UsageRecord): Record<string, string> {
  const { costUsd } = record;
  const saving = savingOf(record);
  if (costUsd === null) return {};
  return { 'x-weir-cost-usd': costUsd, ...(saving !== null && { 'x-weir-saved-usd': saving }) };
}

/** The model, where its name can stand in a header: callers and providers may call it anything. */
export function modelHeader(model: string | null): Record<string, string> {
  return model !== null && /^[\x21-\x7e]{1,256}$/.test(model) ? { 'x-weir-model': model } : {};
}
