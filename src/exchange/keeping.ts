import type { AnswerFacts } from '../cache/cache.ts';
import type { UsageRecord } from '../usage/record.ts';
import { modelHeader } from './answers.ts';
import type { Given } from './lookup.ts';
import type { Observation } from './observation.ts';

/** What is known of an answer when it has come to its end. */
export function answerFacts(
  record: UsageRecord,
  reply: Pick<AnswerFacts, 'contentType' | 'streamed' | 'path' | 'requestedModel'>,
): AnswerFacts {
  return {
    ...reply,
    status: record.status ?? 200,
    provider: record.provider,
    model: record.model,
    responseId: record.responseId,
    finishReason: record.finishReason,
    usage: record.usage,
    usageSource: record.usageSource,
    costUsd: record.costUsd,
  };
}

/** The bytes of an answer that may be given again; null: it may not. */
export function piecesToGive(record: UsageRecord, observation: Observation): Buffer[] | null {
  if (!observation.facts().complete) return null;
  // Cut by a limit that the request did not set itself: the next one may be cut elsewhere.
  const isCut = ['length', 'max_tokens', 'MAX_TOKENS'].includes(record.finishReason ?? '');
  return isCut && record.maxOutputTokens === null ? null : observation.pieces();
}

/** The record of a call that got an answer that another call brought. */
export function givenFields(answer: AnswerFacts, cache: 'hit' | 'coalesced'): Partial<UsageRecord> {
  return {
    outcome: 'completed',
    status: answer.status,
    cache,
    attempts: 0,
    model: answer.model,
    responseId: answer.responseId,
    finishReason: answer.finishReason,
    usage: answer.usage,
    usageSource: answer.usageSource,
    costUsd: '0',
    savedUsd: answer.costUsd,
  };
}

/** What a caller is told of an answer that another call brought. `now`: epoch milliseconds. */
export function givenHeaders(
  { answer, contentType }: Given,
  cache: 'hit' | 'coalesced',
  now: number,
): Record<string, string> {
  return {
    'content-type': contentType,
    'x-weir-cache': cache,
    'x-weir-cost-usd': '0',
    ...modelHeader(answer.model),
    ...(answer.costUsd !== null && { 'x-weir-saved-usd': answer.costUsd }),
    ...(cache === 'hit' && { age: String(Math.max(0, Math.floor((now - answer.storedAt) / 1000))) }),
  };
}
