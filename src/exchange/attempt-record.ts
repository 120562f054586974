import type { UsageRecord } from '../usage/record.ts';
import { targetFields } from './draft.ts';
import { newSpanId, uuidv7 } from './ids.ts';
import { priceFields, upperCost } from './pricing.ts';
import type { Served } from './serve.ts';
import type { Services } from './services.ts';
import { guessedUsage } from './settle.ts';

/** An attempt that another replaced. */
export interface Failure {
  served: Served;
  startedAt: number;
  endedAt: number;
  /** null: there was no answer. */
  status: number | null;
  /** The provider's error, or `timeout`, `no_answer`, `broken_off`. */
  error: string;
  /** `no`: it refused; `maybe`: nobody knows what it had done by then; `likely`: it was at work. */
  billed: 'no' | 'maybe' | 'likely';
  /** How long the provider asked to be left alone; null: it did not ask. */
  restMs: number | null;
}

/**
 * The line of such an attempt, a child of the exchange's. What it cost is not known, for its provider told
 * nothing: at least nothing, or the prompt where it was at work, and at most the whole answer.
 */
export function attemptRecord(
  call: UsageRecord,
  { served, startedAt, endedAt, status, error, billed }: Failure,
  { fingerprint, pricer, now }: Pick<Services, 'fingerprint' | 'pricer' | 'now'>,
): UsageRecord {
  const { arrival, facts, model } = served;
  const record: UsageRecord = {
    ...call,
    ...targetFields(arrival, fingerprint),
    id: uuidv7(now()),
    spanId: newSpanId(),
    parentSpanId: call.spanId,
    purpose: 'attempt',
    purposeOf: call.id,
    dialect: arrival.dialect?.name ?? null,
    startedAt,
    endedAt,
    firstChunkMs: null,
    model,
    outcome: 'retried',
    status,
    errorCode: error,
    attempts: 1,
    responseId: null,
    providerRequestId: null,
    cache: 'bypass',
    cacheKey: null,
    cacheExpiresAt: null,
    prefixHashes: [],
    savedUsd: null,
    routingMode: null,
    routingModel: null,
    routingReason: null,
    routingUsd: null,
    baselineModel: null,
    baselineUsd: null,
    baselineSource: null,
    ...(billed === 'no' ? { usageSource: null } : guessedUsage(facts.textChars)),
  };
  if (billed === 'no') return { ...record, costUsd: '0' };
  const price = priceFields(record, arrival, pricer);
  const costUpperUsd = upperCost(record, arrival, pricer);
  return { ...record, ...price, costUpperUsd, ...(billed === 'maybe' && { costUsd: '0' }) };
}
