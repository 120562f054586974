import { modelFacts } from '../routing/models.ts';
import type { Place } from '../routing/router.ts';
import { encodingOf } from '../usage/count/counter.ts';
import { amountOf } from '../usage/prices/decimal.ts';
import { noUsage, type TokenUsage, type UsageRecord, type UsageSource } from '../usage/record.ts';
import type { Services } from './services.ts';

type Known = Pick<Services, 'providers' | 'pricer'>;

/**
 * Tokens of other tokenizers for what OpenAI's newest makes 100 of. Medians of what was counted on recorded text-only
 * exchanges (docs/ledger.md): Claude's makes about a sixth more, Google's a twentieth.
 */
const density: Record<string, number> = { anthropic: 1.16, gemini: 1.05 };

/** What a call is compared with, as far as its record tells by now. */
export function comparison(
  record: UsageRecord,
  routed: { baseline: Place | null; shadow: Place | null } | null,
  known: Known,
): Partial<UsageRecord> {
  if (!routed && record.purpose === null) return {};
  return {
    ...baselineFields(record, routed?.baseline ?? null, known),
    ...shadowFields(record, routed?.shadow ?? null, known),
  };
}

/** What the call would have cost with the model that it is compared with, by the provider's own counts. */
function baselineFields(
  record: UsageRecord,
  baseline: Place | null,
  known: Known,
): Pick<UsageRecord, 'baselineUsd' | 'baselineSource'> {
  // A call of weir's own would not have been without it: against the saving it counts whole.
  if (record.purpose !== null) return { baselineUsd: '0', baselineSource: null };
  if (!baseline || record.usageSource === null) return { baselineUsd: null, baselineSource: null };
  const used = record.model ?? record.routingModel ?? '';
  const isSame = tokenizer(used) !== null && tokenizer(used) === tokenizer(baseline.model);
  const usage = rescaled(record.usage, used, baseline.model);
  const source = isSame ? record.usageSource : 'estimated';
  return { baselineUsd: priceAt(baseline, usage, record, known), baselineSource: source };
}

/** The same for counts of the baseline's own tokenizer. */
export function countedBaseline(
  record: UsageRecord,
  baseline: Place,
  counts: { input: number; output: number },
  known: Known,
): Pick<UsageRecord, 'baselineUsd' | 'baselineSource'> {
  const share = counts.input / Math.max(1, record.usage.input ?? 0);
  const cacheRead =
    record.usage.cacheRead === null
      ? null
      : Math.min(counts.input, Math.round(record.usage.cacheRead * share));
  const usage = { ...noUsage, ...counts, cacheRead };
  const source: UsageSource = 'counted';
  return { baselineUsd: priceAt(baseline, usage, record, known), baselineSource: source };
}

/** Whether the baseline's tokens can be counted: its tokenizer is public, and not the one that the provider counted by. */
export function isCountable(record: UsageRecord, baseline: Place): boolean {
  const own = tokenizer(baseline.model);
  return own !== null && own !== tokenizer(record.model ?? record.routingModel ?? '');
}

/** In shadow: what the chosen model would have cost. */
function shadowFields(
  record: UsageRecord,
  shadow: Place | null,
  known: Known,
): Pick<UsageRecord, 'routingUsd'> {
  if (!shadow || record.usageSource === null) return { routingUsd: null };
  const usage = rescaled(record.usage, record.model ?? record.requestedModel ?? '', shadow.model);
  return { routingUsd: priceAt(shadow, usage, record, known) };
}

/** The saving of a routed call, negative where it cost more; null: not known. */
export function savingOf({ baselineUsd, costUsd, purpose }: UsageRecord): string | null {
  if (baselineUsd === null || costUsd === null || purpose !== null) return null;
  const difference = amountOf(baselineUsd) - amountOf(costUsd);
  const digits = (difference < 0n ? -difference : difference).toString().padStart(19, '0');
  const fraction = digits.slice(-18).replace(/0+$/, '');
  return `${difference < 0n ? '-' : ''}${digits.slice(0, -18)}${fraction && `.${fraction}`}`;
}

/** The encoding, where it is public. */
function tokenizer(model: string): string | null {
  const { encoding, exact } = encodingOf(model);
  return exact ? encoding : null;
}

/** The visible part of the counts, as the other model's tokenizer would have made it. */
export function rescaled(usage: TokenUsage, from: string, to: string): TokenUsage {
  const factor = (density[modelFacts(to).api ?? ''] ?? 1) / (density[modelFacts(from).api ?? ''] ?? 1);
  const thinks = !modelFacts(to).lacks.includes('reasoning');
  // A model that does not think does not bill for it; how much another would have thought nobody knows.
  const hidden = thinks ? 0 : (usage.reasoning ?? 0);
  const scale = (count: number | null) => (count === null ? null : Math.round(count * factor));
  return {
    ...noUsage,
    input: scale(usage.input),
    output: scale(usage.output === null ? null : Math.max(0, usage.output - hidden)),
    cacheRead: scale(usage.cacheRead),
  };
}

function priceAt(
  { provider, model }: Place,
  usage: TokenUsage,
  record: UsageRecord,
  { providers, pricer }: Known,
): string | null {
  const baseUrl = providers[provider]?.base_url;
  if (baseUrl === undefined) return null;
  const query = { provider, baseUrl, model, usage, parts: [], tools: {}, at: record.startedAt };
  return pricer({ ...query, serviceTier: null, terms: {}, credential: null })?.usd ?? null;
}
