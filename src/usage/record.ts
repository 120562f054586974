import type { TokenUsage } from '../dialects/usage.ts';

export { noUsage, type TokenUsage } from '../dialects/usage.ts';

/** How one exchange ended. `unsettled`: its end was not seen; Envoy's access log tells who broke off. */
export type Outcome =
  | 'completed'
  | 'disconnected'
  | 'interrupted'
  | 'upstream_error'
  | 'denied'
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
  tags: Record<string, string>;

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
  reasoningEffort: string | null;

  outcome: Outcome;
  /** HTTP status that the caller got; null when it got none. */
  status: number | null;
  /** weir's own code, or the provider's error type. */
  errorCode: string | null;
  finishReason: string | null;
  attempts: number;

  cache: CacheResult;
  cacheKey: string | null;

  usage: TokenUsage;
  usageSource: UsageSource | null;
  /** null: unpriced. A cache hit costs 0. */
  costUsd: string | null;
  /** What a cache hit would have cost. */
  savedUsd: string | null;
  priceModel: string | null;
  priceVersion: string | null;
  serviceTier: string | null;

  /** The provider's id of the answer (`chatcmpl-…`) and of the request (`x-request-id`). */
  responseId: string | null;
  providerRequestId: string | null;
  /** The account it was billed to, as the provider's headers name it. */
  providerOrganization: string | null;
  providerProject: string | null;
  /** Keyed hash of the credential that the provider saw. */
  credentialFingerprint: string | null;
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
