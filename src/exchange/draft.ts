import { uninspectedOperation } from '../dialects/registry.ts';
import { plainPath } from '../dialects/target.ts';
import { workloadName } from '../identity/identity.ts';
import { purposeOfTag, purposeTag } from '../identity/own-calls.ts';
import { noUsage, type UsageRecord } from '../usage/record.ts';
import type { Arrival } from './arrival.ts';
import { traceIds } from './ids.ts';
import type { Headers, RequestHead } from './messages.ts';
import { billingTerms } from './pricing.ts';
import { readTags } from './tags.ts';

/** The record of an exchange as far as its head tells; it would be `interrupted` if it stopped here. */
export function draftRecord(call: {
  id: string;
  head: RequestHead;
  arrival: Arrival;
  startedAt: number;
  fingerprint: (credential: string) => string;
  /** This process. */
  processor: string;
}): UsageRecord {
  const { id, head, arrival, startedAt, fingerprint, processor } = call;
  const { workload } = arrival.caller;
  return {
    id,
    ...traceIds(head.headers.get('traceparent'), id),
    startedAt,
    endedAt: startedAt,
    firstChunkMs: null,
    organization: arrival.caller.organization,
    apiKey: arrival.caller.apiKey,
    user: head.headers.get('x-weir-user') ?? null,
    processor,
    workload: workload && workloadName(workload),
    pod: workload?.pod ?? null,
    podUid: workload?.podUid ?? null,
    tags: tagsOf(arrival, head),
    ...targetFields(arrival, fingerprint),
    dialect: arrival.dialect?.name ?? null,
    operation: arrival.dialect?.operation ?? uninspectedOperation(arrival.target.endpoint),
    method: head.method,
    stream: false,
    requestedModel: null,
    model: null,
    maxOutputTokens: null,
    temperature: null,
    topP: null,
    reasoningEffort: null,
    outcome: 'interrupted',
    status: null,
    errorCode: null,
    finishReason: null,
    attempts: 1,
    limitedBy: null,
    cache: 'bypass',
    cacheKey: null,
    cacheExpiresAt: null,
    prefixHashes: [],
    usage: noUsage,
    usageSource: null,
    parts: [],
    tools: {},
    serviceTier: null,
    listUsd: null,
    costUsd: null,
    costUpperUsd: null,
    toolUsd: null,
    reportedUsd: null,
    costDisputed: null,
    savedUsd: null,
    priceModel: null,
    priceVersion: null,
    priceFactors: null,
    responseId: null,
    providerRequestId: null,
    providerOrganization: null,
    providerProject: null,
    complexity: null,
    complexityScore: null,
    routingMode: null,
    routingModel: null,
    routingProvider: null,
    routingReason: null,
    routingUsd: null,
    baselineModel: null,
    baselineProvider: null,
    baselineUsd: null,
    baselineSource: null,
    baselineInput: null,
    baselineOutput: null,
    purpose: arrival.caller.tags[purposeTag] ?? null,
    purposeOf: arrival.caller.tags[purposeOfTag] ?? null,
  };
}

/** What depends on where the call goes. */
export function targetFields(arrival: Arrival, fingerprint: (credential: string) => string) {
  const { target, provider, credential } = arrival;
  return {
    provider: target.provider,
    serverAddress: new URL(provider.base_url).hostname,
    path: plainPath(target.path),
    terms: billingTerms(credential),
    region: regionOf(provider.base_url, target.path),
    credentialFingerprint: credential === null ? null : fingerprint(credential),
  };
}

/** The caller's, and over them those of the call where it may have some. */
function tagsOf({ caller, access }: Arrival, { headers }: RequestHead): Record<string, string> {
  const own = access.mayTag ? headers.get('x-weir-tags') : undefined;
  return own === undefined ? caller.tags : { ...caller.tags, ...readTags(own) };
}

/** Bedrock and Azure have it in the host, Vertex in host and path, OpenAI before its host. */
function regionOf(baseUrl: string, path: string): string | null {
  const { hostname } = new URL(baseUrl);
  const [, amazon] = /(?:^|\.)bedrock[a-z-]*\.([a-z0-9-]+)\./.exec(hostname) ?? [];
  const [, openai] = /^([a-z]{2})\.api\.openai\.com$/.exec(hostname) ?? [];
  const [, google] = /\/locations\/([^/]+)\//.exec(path) ?? /^([a-z0-9-]+)-aiplatform\./.exec(hostname) ?? [];
  return amazon ?? openai ?? google ?? null;
}

/** What the provider's headers tell for matching an invoice. */
export function providerIds(headers: Headers): Partial<UsageRecord> {
  const first = (...names: string[]) =>
    names.map((name) => headers.get(name)).find((value) => value !== undefined) ?? null;
  return {
    providerRequestId: first('x-request-id', 'request-id', 'x-amzn-requestid'),
    providerOrganization: first('openai-organization', 'anthropic-organization-id'),
    providerProject: first('openai-project'),
  };
}
