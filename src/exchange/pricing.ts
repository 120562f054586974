import type { Price } from '../usage/price.ts';
import { sentModel, type UsageRecord } from '../usage/record.ts';
import type { Services } from './services.ts';

type Pricer = Services['pricer'];
/** Whom the call goes to; its price depends on the URL. */
export interface Billed {
  provider: { base_url: string };
}

/** What of a record its price is made of. */
type Priced = Pick<
  UsageRecord,
  | 'provider'
  | 'path'
  | 'model'
  | 'requestedModel'
  | 'usage'
  | 'usageSource'
  | 'parts'
  | 'tools'
  | 'startedAt'
  | 'serviceTier'
  | 'terms'
  | 'reportedUsd'
  | 'credentialFingerprint'
> &
  Partial<Pick<UsageRecord, 'routingMode' | 'routingModel'>>;

type PriceFields = Pick<
  UsageRecord,
  'listUsd' | 'costUsd' | 'toolUsd' | 'costDisputed' | 'priceModel' | 'priceVersion' | 'priceFactors'
>;

/** A provider's own figure that is further from the list than this is flagged. */
const tolerance = 0.01;

/** The list price of a record's tokens at its time, and what of it is billed. */
export function priceFields(record: Priced, billed: Billed, pricer: Pricer): PriceFields {
  const price = record.usageSource === null ? null : priceOf(record, billed, pricer);
  const listUsd = price?.usd ?? null;
  return {
    listUsd,
    costUsd: listUsd !== null && isPaidOtherwise(record) ? '0' : listUsd,
    toolUsd: price?.toolUsd ?? null,
    costDisputed: isDisputed(record.reportedUsd, price),
    priceModel: price?.model ?? null,
    priceVersion: price?.version ?? null,
    priceFactors: price?.factors ?? null,
  };
}

/**
 * What the call may cost at most: a provider may finish the answer, and bill it, after the caller has
 * gone. Bounded by the tokens that were asked for, else by the model's context window.
 */
export function upperCost(record: UsageRecord, billed: Billed, pricer: Pricer): string | null {
  const price = priceOf(record, billed, pricer);
  const { input, output } = record.usage;
  const room = price?.contextWindow == null ? null : Math.max(0, price.contextWindow - (input ?? 0));
  const most = record.maxOutputTokens ?? room;
  if (most === null) return null;
  const usage = { ...record.usage, output: Math.max(output ?? 0, most) };
  return priceOf({ ...record, usage }, billed, pricer)?.usd ?? null;
}

function priceOf(record: Priced, { provider }: Billed, pricer: Pricer): Price | null {
  const { model } = record;
  const requestedModel = sentModel(record);
  const ask = (name: string | null) =>
    name === null
      ? null
      : pricer({
          provider: record.provider,
          // Some routers have a path for each of those they route to.
          baseUrl: new URL(provider.base_url).origin + record.path,
          model: name,
          usage: record.usage,
          parts: record.parts,
          tools: record.tools,
          at: record.startedAt,
          serviceTier: record.serviceTier,
          terms: record.terms,
          credential: record.credentialFingerprint,
        });
  // The table may lack the name that is reported and have the one that was asked for; but a router may
  // also have answered with another model, which the price of the one asked for says nothing of.
  return ask(model) ?? (model === null || isSameFamily(model, requestedModel) ? ask(requestedModel) : null);
}

/** What else the price depends on, beside what the reply tells: how the credential is paid for. */
export function billingTerms(credential: string | null): Record<string, string> {
  return credential?.startsWith('sk-ant-oat') ? { billing: 'subscription' } : {};
}

/** A subscription (Claude's OAuth tokens) and provisioned throughput are paid by the month. */
function isPaidOtherwise({ terms }: Priced): boolean {
  return terms.billing === 'subscription' || terms.traffic_type === 'provisioned_throughput';
}

function isDisputed(reported: string | null, price: Price | null): boolean | null {
  if (reported === null || price === null) return null;
  const list = Number(price.usd) + Number(price.toolUsd ?? 0);
  return Math.abs(Number(reported) - list) > tolerance * list;
}

/** `x-ai/grok-4` and `google/gemini-2.0` are not; `gpt-4o` and `openai/gpt-4o-2024-08-06` are. */
function isSameFamily(a: string, b: string | null): boolean {
  const family = (name: string) => /[a-z]+/.exec(name.toLowerCase().replace(/^.*\//, ''))?.[0];
  return b !== null && family(a) === family(b);
}
