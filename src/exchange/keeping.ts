import type { CachedAnswer } from '../cache/cache.ts';
import { cacheKey } from '../cache/key.ts';
import { answerHeaders, answerPath } from '../dialects/answer-key.ts';
import type { RequestFacts } from '../dialects/dialect.ts';
import type { UsageRecord } from '../usage/record.ts';
import { modelHeader } from './answers.ts';
import type { Arrival } from './arrival.ts';
import type { RequestHead, ResponseHead } from './messages.ts';
import type { Observation } from './observation.ts';
import { asksUsage } from './outgoing.ts';
import type { Services } from './services.ts';

/** Equal for calls that may have one answer. */
export function keyOf(
  call: { head: RequestHead; arrival: Arrival; facts: RequestFacts },
  fingerprint: Services['fingerprint'],
): string {
  const { head, arrival, facts } = call;
  const headers = [...answerHeaders.keys()].flatMap((name) => {
    const value = head.headers.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return cacheKey({
    organization: arrival.caller.organization,
    credential: arrival.ownCredential === null ? null : fingerprint(arrival.ownCredential),
    provider: arrival.target.provider,
    dialect: arrival.dialect?.name ?? '',
    path: answerPath(arrival.target.path),
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

/** A kept answer in the form that a call asks for; null: it cannot be given so. */
export function inForm(
  kept: CachedAnswer,
  { facts, arrival }: { facts: RequestFacts; arrival: Arrival },
): CachedAnswer | null {
  const { dialect, target, provider } = arrival;
  if (!dialect?.replay) return kept;
  const isStream = /^\s*text\/event-stream/.test(kept.contentType) || kept.body[0] === openBracket;
  const given = dialect.replay(
    { contentType: kept.contentType, streamed: isStream, chunks: [kept.body] },
    {
      streamed: facts.stream,
      usage: asksUsage(provider) ? !facts.hidesUsage : null,
      path: target.path,
      labels: facts.labels,
    },
  );
  return given && { ...kept, contentType: given.contentType, body: Buffer.concat(given.chunks) };
}

/** Google's streams without events are lists. */
const openBracket = 91;

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
    ...modelHeader(kept.model),
    ...(kept.costUsd !== null && { 'x-weir-saved-usd': kept.costUsd }),
    ...call.standing,
  };
}
