import { modelFacts } from '../routing/models.ts';
import type { Place } from '../routing/router.ts';
import { encodingOf } from '../usage/count/counter.ts';
import type { Pricer } from '../usage/price.ts';
import { amountOf, toDecimal } from '../usage/prices/decimal.ts';
import { noUsage, type TokenUsage, type UsageRecord, type UsageSource } from '../usage/record.ts';

/** By what calls are priced: the table, and the providers of the config. */
export interface PriceSource {
  pricer: Pricer;
  providers: Record<string, { base_url: string }>;
}

/** What of a record its comparison is made of. */
export type Compared = Pick<
  UsageRecord,
  | 'startedAt'
  | 'model'
  | 'requestedModel'
  | 'usage'
  | 'usageSource'
  | 'purpose'
  | 'routingMode'
  | 'routingModel'
  | 'routingProvider'
  | 'baselineModel'
  | 'baselineProvider'
  | 'baselineSource'
  | 'baselineInput'
  | 'baselineOutput'
>;

/**
 * Tokens of other tokenizers for what OpenAI's newest makes 100 of. Medians of what was counted on recorded text-only
 * exchanges (docs/ledger.md): Claude's makes about a sixth more, Google's a twentieth.
 */
const density: Record<string, number> = { anthropic: 1.16, gemini: 1.05 };

/** What a call would have cost with the model it is compared with, and in shadow with the one that was chosen. */
export function comparison(
  record: Compared,
  source: PriceSource,
): Pick<UsageRecord, 'baselineUsd' | 'baselineSource' | 'routingUsd'> {
  return { ...baselineFields(record, source), routingUsd: shadowUsd(record, source) };
}

/** By the provider's own counts, or those of the baseline's tokenizer where they were made. */
function baselineFields(
  record: Compared,
  source: PriceSource,
): Pick<UsageRecord, 'baselineUsd' | 'baselineSource'> {
  // A call of weir's own would not have been without it: against the saving it counts whole.
  if (record.purpose !== null) return { baselineUsd: '0', baselineSource: null };
  const baseline = baselineOf(record);
  if (!baseline || record.usageSource === null) return { baselineUsd: null, baselineSource: null };
  const counted = countedUsage(record);
  if (counted) return { baselineUsd: priceAt(baseline, counted, record, source), baselineSource: 'counted' };
  const used = record.model ?? record.routingModel ?? '';
  const isSame = tokenizer(used) !== null && tokenizer(used) === tokenizer(baseline.model);
  const baselineSource: UsageSource = isSame ? record.usageSource : 'estimated';
  const usage = rescaled(record.usage, used, baseline.model);
  return { baselineUsd: priceAt(baseline, usage, record, source), baselineSource };
}

/** Where the call would have gone; null: it was not given to another model, or an old row does not tell. */
export function baselineOf({ baselineModel, baselineProvider }: Compared): Place | null {
  return baselineModel === null || baselineProvider === null
    ? null
    : { provider: baselineProvider, model: baselineModel };
}

/** Whether the baseline's tokens can be counted: its tokenizer is public, and not the one that the provider counted by. */
export function isCountable(record: UsageRecord, baseline: Place): boolean {
  const own = tokenizer(baseline.model);
  return own !== null && own !== tokenizer(record.model ?? record.routingModel ?? '');
}

/** Counts of the baseline's own tokenizer, with the share of the prompt that was read from a cache; null: none were made. */
function countedUsage({ baselineInput: input, baselineOutput: output, usage }: Compared): TokenUsage | null {
  if (input === null || output === null) return null;
  const share = input / Math.max(1, usage.input ?? 0);
  const cacheRead = usage.cacheRead === null ? null : Math.min(input, Math.round(usage.cacheRead * share));
  return { ...noUsage, input, output, cacheRead };
}

function shadowUsd(record: Compared, source: PriceSource): string | null {
  const { routingMode, routingModel: model, routingProvider: provider } = record;
  if (routingMode !== 'shadow' || model === null || provider === null || record.usageSource === null)
    return null;
  const usage = rescaled(record.usage, record.model ?? record.requestedModel ?? '', model);
  return priceAt({ provider, model }, usage, record, source);
}

/** The saving of a routed call, negative where it cost more; null: not known. */
export function savingOf({ baselineUsd, costUsd, purpose }: UsageRecord): string | null {
  if (baselineUsd === null || costUsd === null || purpose !== null) return null;
  return toDecimal(amountOf(baselineUsd) - amountOf(costUsd));
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
  { startedAt }: Compared,
  { providers, pricer }: PriceSource,
): string | null {
  const baseUrl = providers[provider]?.base_url;
  if (baseUrl === undefined) return null;
  const query = { provider, baseUrl, model, usage, parts: [], tools: {}, at: startedAt };
  return pricer({ ...query, serviceTier: null, terms: {}, credential: null })?.usd ?? null;
}
