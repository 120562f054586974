import type { TokenUsage, UsagePart } from '../dialects/usage.ts';

export { noUsage, type TokenUsage, type UsagePart, usageNames } from '../dialects/usage.ts';

/** How one exchange ended. `unsettled`: its end was not seen; Envoy's access log tells who broke off. */
export type Outcome =
  | 'completed'
  | 'disconnected'
  | 'interrupted'
  | 'upstream_error'
  | 'denied'
  /** Of an attempt: another took its place. */
  | 'retried'
  | 'unsettled';

/** Where token numbers come from: the provider's reply, a tokenizer, or a guess by length. */
export type UsageSource = 'provider' | 'counted' | 'estimated';

export type CacheResult = 'hit' | 'miss' | 'coalesced' | 'bypass';

/** One line of the ledger. Times are epoch milliseconds with fractions, money decimal strings in USD. */
export interface UsageRecord {
  /** The exchange, as told to the caller in `x-weir-id`: a UUIDv7. */
  id: string;
  /** W3C trace context: the caller's trace when it sent one, else a new one. Hex. */
  traceId: string;
  spanId: string;
  parentSpanId: string | null;
  startedAt: number;
  endedAt: number;
  /** Milliseconds from the first request byte to the first response body byte. */
  firstChunkMs: number | null;

  organization: string;
  apiKey: string | null;
  user: string | null;
  /** `cluster/namespace/service-account`; null: the caller brought no workload token. */
  workload: string | null;
  pod: string | null;
  podUid: string | null;
  tags: Record<string, string>;
  /** The process that saw it. */
  processor: string | null;

  provider: string;
  /** The host that was called. */
  serverAddress: string;
  /** null: this path is not inspected. */
  dialect: string | null;
  operation: string;
  method: string;
  /** Without the query. */
  path: string;
  stream: boolean;
  requestedModel: string | null;
  model: string | null;
  maxOutputTokens: number | null;
  temperature: number | null;
  topP: number | null;
  reasoningEffort: string | null;

  outcome: Outcome;
  /** HTTP status that the caller got; null when it got none. */
  status: number | null;
  /** weir's own code, or the provider's error type. */
  errorCode: string | null;
  finishReason: string | null;
  attempts: number;
  /** The limit or budget that refused it; of a call that was let pass, one that in shadow would have. */
  limitedBy: string | null;

  cache: CacheResult;
  cacheKey: string | null;
  /** When an answer that the policy lets be kept is kept no longer; told also where none is. */
  cacheExpiresAt: number | null;
  /** Of the prompt's beginning, at steps of 1,024 tokens: what of it calls have in common. */
  prefixHashes: string[];

  usage: TokenUsage;
  usageSource: UsageSource | null;
  /** By model, where an answer was billed in parts; else empty. */
  parts: UsagePart[];
  /** Uses of the provider's own tools that are billed apart. */
  tools: Record<string, number>;
  serviceTier: string | null;
  /** What else the price depends on, as the reply tells it: `speed`, `inference_geo`, `traffic_type`. */
  terms: Record<string, string>;
  /** Where it was reckoned, as far as host, path or reply tell. */
  region: string | null;

  /** List price of the tokens, by the provider's own counts. null: unpriced. */
  listUsd: string | null;
  /** What of it is billed for this call: 0 for a hit, under a subscription and with provisioned throughput. */
  costUsd: string | null;
  /** At most this, where the provider may go on and bill after a hang-up. null: not known, or no question. */
  costUpperUsd: string | null;
  /** List price of the tools. */
  toolUsd: string | null;
  /** What the provider says it cost. Kept, not trusted. */
  reportedUsd: string | null;
  /** It says more than 1 % more or less than the list. */
  costDisputed: boolean | null;
  /** What a cache hit would have cost. */
  savedUsd: string | null;
  priceModel: string | null;
  priceVersion: string | null;
  /** What the list price was multiplied by: `inference_geo 1.1`. */
  priceFactors: string | null;

  /** The provider's id of the answer (`chatcmpl-…`) and of the request (`x-request-id`). */
  responseId: string | null;
  providerRequestId: string | null;
  /** The account it was billed to, as the provider's headers name it. */
  providerOrganization: string | null;
  providerProject: string | null;
  /** Keyed hash of the credential that the provider saw. */
  credentialFingerprint: string | null;

  /** How hard the call is: `simple`, `medium` or `complex`; null: no chat. */
  complexity: string | null;
  /** By the trained scorer, where it was asked. */
  complexityScore: number | null;
  /** null: no chat. `shadow`: it was chosen, and nothing changed. */
  routingMode: 'off' | 'shadow' | 'on' | null;
  /** The model that weir chose in place of the one asked for; null: the call kept its own. */
  routingModel: string | null;
  routingProvider: string | null;
  routingReason: string | null;
  /** In shadow: what the chosen model would have cost, estimated. */
  routingUsd: string | null;
  /** What the call is compared with: the model asked for, or the one that `auto` stands for. */
  baselineModel: string | null;
  baselineProvider: string | null;
  /** What that would have cost. 0 for calls of weir's own. */
  baselineUsd: string | null;
  /** `provider`: by the provider's counts, of one tokenizer for both; `counted`; `estimated`. */
  baselineSource: UsageSource | null;
  /** Tokens, where they were counted by the tokenizer of its model. */
  baselineInput: number | null;
  baselineOutput: number | null;
  /** Calls that weir makes itself, `replay` or `judge`, and attempts that others replaced, `attempt`; and the exchange they are about. */
  purpose: string | null;
  purposeOf: string | null;
}

/** The model that the provider was asked for. */
export function sentModel(
  record: Pick<UsageRecord, 'requestedModel'> & Partial<Pick<UsageRecord, 'routingMode' | 'routingModel'>>,
): string | null {
  const { routingMode, routingModel = null, requestedModel } = record;
  return routingMode === 'on' && routingModel !== null ? routingModel : requestedModel;
}

/**
 * Where records go. `open` resolves when the line is written, so that a call which reaches a provider
 * leaves a trace even when this process dies; `close` replaces it. A record may be closed without
 * having been opened (hits, refusals). `drain` resolves when everything closed is acknowledged.
 */
export interface Ledger {
  open(record: UsageRecord): Promise<void>;
  close(record: UsageRecord): void;
  drain(timeoutMs: number): Promise<{ left: number }>;
}
