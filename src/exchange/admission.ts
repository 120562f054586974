import type { RequestFacts } from '../dialects/dialect.ts';
import { usdAmount, usedBy } from '../limits/budgets/amounts.ts';
import type { Admission, Asked, LimitedCall } from '../limits/limits.ts';
import { noUsage, type UsageRecord } from '../usage/record.ts';
import type { Arrival } from './arrival.ts';
import { denialName } from './denials.ts';
import { priceFields } from './pricing.ts';
import type { Services } from './services.ts';

/** Whose call it is, as the ledger will have it: what limits count and what is summed up later is the same. */
function callOf(record: UsageRecord, ip: string, asks: Asked | null, mayCost: boolean): LimitedCall {
  return {
    id: record.id,
    startedAt: record.startedAt,
    organization: record.organization,
    ip,
    apiKey: record.apiKey,
    user: record.user,
    workload: record.workload,
    model: record.requestedModel,
    provider: record.provider,
    tags: record.tags,
    asks,
    mayCost,
  };
}

/** May a call pass that weir does not look into? Its request counts; what it costs nobody knows before. */
export function admitUnread(
  arrival: Arrival,
  record: UsageRecord,
  { ip, isUpgrade }: { ip: string; isUpgrade: boolean },
  { limits }: Services,
): Promise<Admission> {
  const mayCost = record.method === 'POST' || isUpgrade;
  return limits.admit(arrival.policy, callOf(record, ip, null, mayCost));
}

/**
 * May a call pass? It counts against all limits, and what it may use is reserved. What the store is asked is
 * asked in this tick.
 */
export function admit(
  call: { arrival: Arrival; record: UsageRecord; facts: RequestFacts; bytes: number; ip: string },
  services: Services,
): Promise<Admission> {
  const { arrival, record, facts, bytes, ip } = call;
  const makesText = record.operation !== 'embeddings';
  const maxOutputTokens = makesText ? facts.maxOutputTokens : undefined;
  const estimate = estimateUse(arrival, record, { textChars: facts.textChars, maxOutputTokens }, services);
  const asks = { bytes, maxOutputTokens, ...estimate };
  return services.limits.admit(arrival.policy, callOf(record, ip, asks, true));
}

function estimateUse(
  arrival: Arrival,
  record: UsageRecord,
  request: { textChars: number; maxOutputTokens: number | null | undefined },
  { limits, pricer }: Services,
): Pick<Asked, 'tokens' | 'usd'> {
  const { policy } = arrival;
  const counts = policy.budgets.length > 0 || policy.limits.some(({ tokens }) => tokens !== undefined);
  if (!counts) return { tokens: 0, usd: 0n };
  const { input, output } = limits.estimates.tokens(kindOf(record), request);
  const usage = { ...noUsage, input, output };
  const asked = { ...record, usage, usageSource: 'estimated' as const };
  const price = policy.budgets.length > 0 ? priceFields(asked, arrival, pricer).costUsd : null;
  return { tokens: input + output, usd: price === null ? null : usdAmount(price) };
}

function kindOf({ organization, provider, requestedModel }: UsageRecord) {
  return { organization, provider, model: requestedModel };
}

/** What the record tells of limits: who refuses, or in shadow would have. */
export function limitedBy({ denial, standing }: Admission): string | null {
  return denial ? denialName(denial) : (standing.exceeded[0] ?? null);
}

/** The call is over, and its record finished: limits and budgets take what it has used. */
export function closeAdmission(
  admission: Admission,
  record: UsageRecord,
  textChars: number,
  { limits }: Services,
): void {
  const isRefused = record.outcome === 'denied' && record.attempts === 0;
  admission.close(isRefused ? 'refused' : usedBy(record));
  const { input, output } = record.usage;
  const told = record.usageSource === 'provider' && record.cache !== 'hit' && record.cache !== 'coalesced';
  if (told && input !== null && output !== null)
    limits.estimates.learn(kindOf(record), { textChars, input, output });
}
