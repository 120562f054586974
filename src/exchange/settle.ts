import { type Dialect, noFacts, type ReplyFacts } from '../dialects/dialect.ts';
import { noUsage, type Outcome, type UsageRecord } from '../usage/record.ts';
import type { Arrival } from './arrival.ts';
import type { ResponseHead } from './messages.ts';
import type { Observation } from './observation.ts';
import type { Services } from './services.ts';

/** A call that a provider had, and what was seen of it. */
export interface ForwardedCall {
  record: UsageRecord;
  arrival: Arrival;
  /** For counting where the provider told no numbers; null: too large. */
  requestBody: Buffer | null;
  response: ResponseHead | null;
  observation: Observation | null;
  /** The end of the reply was seen. */
  ended: boolean;
}

/** The finished record: outcome, usage, price. */
export async function settle(call: ForwardedCall, services: Services): Promise<UsageRecord> {
  const { arrival, response, requestBody, observation, ended } = call;
  const facts = observation?.facts() ?? noFacts;
  const seen = observation !== null && observation.observe !== 'nothing';
  const outcome = outcomeOf(response, ended, facts);
  let record: UsageRecord = { ...call.record, outcome, ...(seen && replyFields(facts, call.record)) };
  const uncounted =
    record.usageSource === null &&
    (seen ? facts.error === null && response?.status === 200 : response === null);
  if (uncounted && arrival.dialect && requestBody) {
    record = {
      ...record,
      ...(await countUsage({ dialect: arrival.dialect, requestBody, record, facts }, services)),
    };
  }
  return { ...record, ...priceFields(record, arrival.provider.base_url, services.pricer) };
}

/** How it ended, as far as weir saw. Without an end Envoy's access log decides who broke off. */
function outcomeOf(response: ResponseHead | null, ended: boolean, facts: ReplyFacts): Outcome {
  if (!response) return 'unsettled';
  if (!response.fromProvider) return response.status === 413 ? 'denied' : 'upstream_error';
  if (response.status >= 400 || facts.error !== null) return 'upstream_error';
  return ended ? 'completed' : 'unsettled';
}

/** The facts of a reply, as the record has them. */
export function replyFields(facts: ReplyFacts, before: UsageRecord): Partial<UsageRecord> {
  return {
    model: facts.model,
    responseId: facts.responseId,
    finishReason: facts.finishReason,
    serviceTier: facts.serviceTier,
    errorCode: facts.error ?? before.errorCode,
    ...(facts.usage && { usage: facts.usage, usageSource: 'provider' as const }),
  };
}

/** Counts what the provider did not: the prompt that was sent, the text that came. */
async function countUsage(
  call: { dialect: Dialect; requestBody: Buffer; record: UsageRecord; facts: ReplyFacts },
  { reader, counter }: Pick<Services, 'reader' | 'counter'>,
): Promise<Pick<UsageRecord, 'usage' | 'usageSource'>> {
  const model = call.record.model ?? call.record.requestedModel;
  const prompt = await reader.prompt(call.dialect, call.requestBody);
  const [input, output] = await Promise.all([
    counter.count(model, prompt.texts),
    counter.count(model, call.facts.text),
  ]);
  return {
    usage: { ...noUsage, input: input.tokens + prompt.overhead, output: output.tokens },
    usageSource: input.exact && output.exact ? 'counted' : 'estimated',
  };
}

/** The list price of a record's tokens at its time. */
export function priceFields(
  record: UsageRecord,
  baseUrl: string,
  pricer: Services['pricer'],
): Pick<UsageRecord, 'costUsd' | 'priceModel' | 'priceVersion'> {
  const { model, requestedModel } = record;
  const query = {
    provider: record.provider,
    baseUrl,
    usage: record.usage,
    at: record.startedAt,
    serviceTier: record.serviceTier,
  };
  const ask = (name: string | null) =>
    record.usageSource === null || name === null ? null : pricer({ ...query, model: name });
  // The table may lack the name that is reported and have the one that was asked for; but a router may
  // also have answered with another model, which the price of the one asked for says nothing of.
  const price =
    ask(model) ?? (model === null || isSameFamily(model, requestedModel) ? ask(requestedModel) : null);
  return {
    costUsd: price?.usd ?? null,
    priceModel: price?.model ?? null,
    priceVersion: price?.version ?? null,
  };
}

/** `x-ai/grok-4` and `google/gemini-2.0` are not; `gpt-4o` and `openai/gpt-4o-2024-08-06` are. */
function isSameFamily(a: string, b: string | null): boolean {
  const family = (name: string) => /[a-z]+/.exec(name.toLowerCase().replace(/^.*\//, ''))?.[0];
  return b !== null && family(a) === family(b);
}
