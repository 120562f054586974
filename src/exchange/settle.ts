import { type Dialect, noFacts, type ReplyFacts } from '../dialects/dialect.ts';
import { type SeenText, shortName } from '../dialects/text.ts';
import {
  noUsage,
  type Outcome,
  sentModel,
  type TokenUsage,
  type UsageRecord,
  type UsageSource,
} from '../usage/record.ts';
import type { Arrival } from './arrival.ts';
import { baselineOf, comparison, isCountable } from './baseline.ts';
import type { ResponseHead } from './messages.ts';
import type { Observation } from './observation.ts';
import { priceFields, upperCost } from './pricing.ts';
import type { Services } from './services.ts';

/** English prose has about four and a half, code and other languages fewer. */
const charsPerToken = 4;

/** A call that a provider had, and what was seen of it. */
export interface ForwardedCall {
  record: UsageRecord;
  arrival: Arrival;
  /** For counting where the provider told no numbers; null: too large, or there is none. */
  requestBody: Buffer | null;
  textChars: number;
  response: ResponseHead | null;
  observation: Observation | null;
  /** Its name at who serves it. */
  model: string | null;
  /** The end of the reply was seen. */
  ended: boolean;
}

/** The finished record: outcome, usage, price. */
export async function settle(call: ForwardedCall, services: Services): Promise<UsageRecord> {
  const { arrival, response, observation, ended } = call;
  const facts = observation?.facts() ?? noFacts;
  const seen = observation !== null && observation.observe !== 'nothing';
  const outcome = outcomeOf(response, ended, facts);
  // Of an answer that is whole it is written down already what it tells and costs.
  let record: UsageRecord = {
    ...call.record,
    outcome,
    ...(seen && !ended && replyFields(facts, call.record, call.model)),
  };
  let isPriced = ended;
  const told = record.usageSource === null ? null : record.usage;
  // An error that came before anything else is not billed.
  const billed = seen
    ? response?.status === 200 && (facts.error === null || facts.text.chars > 0)
    : !response;
  if (arrival.dialect && !arrival.dialect.later && !facts.pending && billed && (!told || facts.provisional)) {
    const counted = await countUsage(call, arrival.dialect, facts, services);
    const output = Math.max(told?.output ?? 0, counted.usage.output ?? 0);
    record = { ...record, ...counted, ...(told && { usage: { ...told, output }, usageSource: 'estimated' }) };
    isPriced = false;
  }
  if (!isPriced) record = { ...record, ...priceFields(record, arrival, services.pricer) };
  const compared = await settledComparison(record, call, services);
  const openEnded = record.usageSource !== null && record.usageSource !== 'provider' && !ended;
  return {
    ...record,
    ...compared,
    ...(openEnded && { costUpperUsd: upperCost(record, arrival, services.pricer) }),
  };
}

/** How it ended, as far as weir saw. Without an end Envoy's access log decides who broke off. */
function outcomeOf(response: ResponseHead | null, ended: boolean, facts: ReplyFacts): Outcome {
  if (!response) return 'unsettled';
  if (!response.fromProvider) return response.status === 413 ? 'denied' : 'upstream_error';
  if (response.status >= 400 || facts.error !== null) return 'upstream_error';
  return ended ? 'completed' : 'unsettled';
}

/** The facts of a reply, as the record has them. `asked`: the model by its name there, for those who do not tell who answered. */
export function replyFields(
  facts: ReplyFacts,
  before: UsageRecord,
  asked: string | null,
): Partial<UsageRecord> {
  return {
    model: shortName(facts.model ?? (facts.usage && asked)),
    responseId: shortName(facts.responseId),
    finishReason: shortName(facts.finishReason),
    serviceTier: shortName(facts.serviceTier),
    parts: facts.parts,
    tools: facts.tools,
    terms: { ...before.terms, ...facts.terms },
    region: facts.terms.inference_geo ?? before.region,
    reportedUsd: facts.reportedUsd,
    errorCode: facts.error ?? before.errorCode,
    ...(facts.usage && { usage: facts.usage, usageSource: 'provider' as const }),
  };
}

/** What the call would have cost: with the other tokenizer's own counts where it is public and all was seen. */
async function settledComparison(
  record: UsageRecord,
  { requestBody, observation, arrival }: ForwardedCall,
  services: Services,
): Promise<Partial<UsageRecord>> {
  const baseline = baselineOf(record);
  const text = observation?.facts().text;
  const seen = text?.texts.reduce((sum, each) => sum + each.length, 0);
  if (!baseline || !isCountable(record, baseline) || !requestBody || !arrival.dialect || text?.chars !== seen)
    return comparison(record, services);
  const prompt = await services.reader.prompt(arrival.dialect, requestBody);
  const [input, output] = await Promise.all([
    services.counter.count(baseline.model, prompt.texts),
    services.counter.count(baseline.model, text?.texts ?? []),
  ]);
  if (!input.exact || !output.exact) return comparison(record, services);
  const counts = { baselineInput: input.tokens + prompt.overhead, baselineOutput: output.tokens };
  return { ...counts, ...comparison({ ...record, ...counts }, services) };
}

/** Counts what the provider did not: the prompt that was sent, the text that came. */
async function countUsage(
  { record, requestBody, textChars }: ForwardedCall,
  dialect: Dialect,
  facts: ReplyFacts,
  { reader, counter }: Pick<Services, 'reader' | 'counter'>,
): Promise<{ usage: TokenUsage; usageSource: UsageSource }> {
  const model = facts.model ?? sentModel(record);
  const prompt = requestBody && (await reader.prompt(dialect, requestBody));
  const [input, output] = await Promise.all([
    prompt ? counter.count(model, prompt.texts) : { tokens: guessTokens(textChars), exact: false },
    countSeen(model, facts.text, counter),
  ]);
  return {
    usage: { ...noUsage, input: input.tokens + (prompt?.overhead ?? 0), output: output.tokens },
    usageSource: input.exact && output.exact ? 'counted' : 'estimated',
  };
}

/** What is too long to be held is counted by its beginning. */
async function countSeen(
  model: string | null,
  { texts, chars }: SeenText,
  counter: Services['counter'],
): Promise<{ tokens: number; exact: boolean }> {
  const held = texts.reduce((sum, text) => sum + text.length, 0);
  const counted = await counter.count(model, texts);
  return chars === held ? counted : { tokens: Math.round((counted.tokens * chars) / held), exact: false };
}

function guessTokens(chars: number): number {
  return Math.ceil(chars / charsPerToken);
}

/** What a call would have used if weir ended now: there is no time to count before it goes on. */
export function guessedUsage(textChars: number): Pick<UsageRecord, 'usage' | 'usageSource'> {
  return { usage: { ...noUsage, input: guessTokens(textChars), output: 0 }, usageSource: 'estimated' };
}

/** The record of a call whose processor died, as it lies in the journal, with what it cost at least and at most. */
export function settleInterrupted(
  record: UsageRecord,
  { providers, pricer }: Pick<Services, 'providers' | 'pricer'>,
): UsageRecord {
  const provider = providers[record.provider];
  if (!provider) return record;
  return {
    ...record,
    ...priceFields(record, { provider }, pricer),
    ...comparison(record, { providers, pricer }),
    costUpperUsd: upperCost(record, { provider }, pricer),
  };
}
