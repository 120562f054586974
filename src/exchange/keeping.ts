import type { CachedAnswer } from '../cache/cache.ts';
import { cacheKey } from '../cache/key.ts';
import type { RequestFacts } from '../dialects/dialect.ts';
import type { UsageRecord } from '../usage/record.ts';
import type { Arrival } from './arrival.ts';
import type { RequestHead, ResponseHead } from './messages.ts';
import type { Observation } from './observation.ts';
import type { Services } from './services.ts';

/** Headers by which the same body asks for another answer. */
const answerHeaders = [
  'openai-beta',
  'openai-organization',
  'openai-project',
  'anthropic-beta',
  'anthropic-version',
];

/** Equal for calls that may have one answer. */
export function keyOf(
  call: { head: RequestHead; arrival: Arrival; facts: RequestFacts },
  fingerprint: Services['fingerprint'],
): string {
  const { head, arrival, facts } = call;
  const headers = answerHeaders.flatMap((name) => {
    const value = head.headers.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return cacheKey({
    organization: arrival.caller.organization,
    credential: arrival.ownCredential === null ? null : fingerprint(arrival.ownCredential),
    provider: arrival.target.provider,
    dialect: arrival.dialect?.name ?? '',
    path: arrival.target.path,
    request: facts.hash,
    headers: Object.fromEntries(headers),
  });
}

/** What of a reply is kept to be given again; null: nothing. */
export function answerToKeep(
  record: UsageRecord,
  observation: Observation,
  response: ResponseHead | null,
  storedAt: number,
): CachedAnswer | null {
  const body = observation.body();
  if (!body || !observation.facts().complete) return null;
  // Cut by a limit that the request did not set itself: the next one may be cut elsewhere.
  const isCut = ['length', 'max_tokens', 'MAX_TOKENS'].includes(record.finishReason ?? '');
  if (isCut && record.maxOutputTokens === null) return null;
  return {
    status: record.status ?? 200,
    contentType: response?.headers.get('content-type') ?? 'application/json',
    body,
    storedAt,
    model: record.model,
    responseId: record.responseId,
    finishReason: record.finishReason,
    usage: record.usage,
    usageSource: record.usageSource,
    costUsd: record.costUsd,
  };
}

/** The record of a call that was answered from the cache. */
export function hitFields(kept: CachedAnswer): Partial<UsageRecord> {
  return {
    outcome: 'completed',
    status: kept.status,
    cache: 'hit',
    attempts: 0,
    model: kept.model,
    responseId: kept.responseId,
    finishReason: kept.finishReason,
    usage: kept.usage,
    usageSource: kept.usageSource,
    costUsd: '0',
    savedUsd: kept.costUsd,
  };
}

export function hitHeaders(
  kept: CachedAnswer,
  call: { id: string; provider: string; standing: Record<string, string> },
): Record<string, string> {
  return {
    'x-weir-id': call.id,
    'x-weir-cache': 'hit',
    'x-weir-provider': call.provider,
    'x-weir-cost-usd': '0',
    ...(kept.model !== null && { 'x-weir-model': kept.model }),
    ...(kept.costUsd !== null && { 'x-weir-saved-usd': kept.costUsd }),
    ...call.standing,
  };
}
