import type { Attributes, AttributeValue } from '@opentelemetry/api';
import { z } from 'zod';
import { noUsage, type TokenUsage, type UsagePart, type UsageRecord, usageNames } from './record.ts';

type Kind = 'text' | 'number' | 'flag';
/** Fields that are not attributes: they are the span's own. */
type SpanField = 'traceId' | 'spanId' | 'parentSpanId' | 'startedAt' | 'endedAt';
type Field = Exclude<
  keyof UsageRecord,
  SpanField | 'tags' | 'terms' | 'tools' | 'usage' | 'parts' | 'prefixHashes'
>;

/**
 * Where each field of a record stands on its span. Names with `gen_ai.` and without a prefix of weir's
 * are OpenTelemetry's semantic conventions for generative AI.
 */
const fields: Record<Field, [attribute: string, kind: Kind]> = {
  id: ['weir.exchange.id', 'text'],
  firstChunkMs: ['weir.first_chunk_ms', 'number'],
  organization: ['weir.organization', 'text'],
  apiKey: ['weir.api_key', 'text'],
  user: ['weir.user', 'text'],
  workload: ['weir.workload', 'text'],
  processor: ['weir.processor', 'text'],
  pod: ['k8s.pod.name', 'text'],
  podUid: ['k8s.pod.uid', 'text'],
  provider: ['gen_ai.provider.name', 'text'],
  serverAddress: ['server.address', 'text'],
  dialect: ['weir.dialect', 'text'],
  operation: ['gen_ai.operation.name', 'text'],
  method: ['http.request.method', 'text'],
  path: ['url.path', 'text'],
  stream: ['gen_ai.request.stream', 'flag'],
  requestedModel: ['gen_ai.request.model', 'text'],
  model: ['gen_ai.response.model', 'text'],
  maxOutputTokens: ['gen_ai.request.max_tokens', 'number'],
  temperature: ['gen_ai.request.temperature', 'number'],
  topP: ['gen_ai.request.top_p', 'number'],
  reasoningEffort: ['weir.reasoning_effort', 'text'],
  outcome: ['weir.outcome', 'text'],
  status: ['http.response.status_code', 'number'],
  errorCode: ['error.type', 'text'],
  finishReason: ['weir.finish_reason', 'text'],
  attempts: ['weir.attempts', 'number'],
  limitedBy: ['weir.limit', 'text'],
  cache: ['weir.cache.result', 'text'],
  cacheKey: ['weir.cache.key', 'text'],
  cacheExpiresAt: ['weir.cache.expires_at', 'number'],
  usageSource: ['weir.usage_source', 'text'],
  region: ['weir.region', 'text'],
  listUsd: ['weir.list_usd', 'text'],
  costUsd: ['weir.cost_usd', 'text'],
  costUpperUsd: ['weir.cost_upper_usd', 'text'],
  toolUsd: ['weir.tool_usd', 'text'],
  reportedUsd: ['weir.reported_usd', 'text'],
  costDisputed: ['weir.cost_disputed', 'flag'],
  savedUsd: ['weir.saved_usd', 'text'],
  priceModel: ['weir.price.model', 'text'],
  priceVersion: ['weir.price.version', 'text'],
  priceFactors: ['weir.price.factors', 'text'],
  serviceTier: ['weir.service_tier', 'text'],
  responseId: ['gen_ai.response.id', 'text'],
  providerRequestId: ['weir.provider.request_id', 'text'],
  providerOrganization: ['weir.provider.organization', 'text'],
  providerProject: ['weir.provider.project', 'text'],
  credentialFingerprint: ['weir.credential_fingerprint', 'text'],
  complexity: ['weir.complexity', 'text'],
  complexityScore: ['weir.complexity_score', 'number'],
  routingMode: ['weir.routing.mode', 'text'],
  routingModel: ['weir.routing.model', 'text'],
  routingProvider: ['weir.routing.provider', 'text'],
  routingReason: ['weir.routing.reason', 'text'],
  routingUsd: ['weir.routing.usd', 'text'],
  baselineModel: ['weir.baseline.model', 'text'],
  baselineProvider: ['weir.baseline.provider', 'text'],
  baselineUsd: ['weir.baseline.usd', 'text'],
  baselineSource: ['weir.baseline.source', 'text'],
  baselineInput: ['weir.baseline.input_tokens', 'number'],
  baselineOutput: ['weir.baseline.output_tokens', 'number'],
  purpose: ['weir.purpose', 'text'],
  purposeOf: ['weir.purpose_of', 'text'],
};

const tokens: Record<keyof TokenUsage, string> = {
  input: 'gen_ai.usage.input_tokens',
  output: 'gen_ai.usage.output_tokens',
  cacheRead: 'gen_ai.usage.cache_read.input_tokens',
  cacheWrite: 'gen_ai.usage.cache_creation.input_tokens',
  reasoning: 'weir.usage.reasoning_tokens',
  cacheWrite5m: 'weir.usage.cache_write_5m_tokens',
  cacheWrite1h: 'weir.usage.cache_write_1h_tokens',
  inputAudio: 'weir.usage.input_audio_tokens',
  inputImage: 'weir.usage.input_image_tokens',
  inputVideo: 'weir.usage.input_video_tokens',
  inputTool: 'weir.usage.input_tool_tokens',
  outputAudio: 'weir.usage.output_audio_tokens',
  outputImage: 'weir.usage.output_image_tokens',
  cacheReadAudio: 'weir.usage.cache_read_audio_tokens',
  cacheReadImage: 'weir.usage.cache_read_image_tokens',
  cacheReadVideo: 'weir.usage.cache_read_video_tokens',
};

/** Fields whose names are free: a prefix each. */
const prefixes = { tags: 'weir.tag.', terms: 'weir.term.', tools: 'weir.tool.' } as const;
const partsName = 'weir.usage.parts';
const prefixesName = 'weir.prompt.prefix_hashes';
const entries = Object.entries(fields) as [Field, [string, Kind]][];
const prefixEntries = Object.entries(prefixes) as [keyof typeof prefixes, string][];
const tokenEntries = Object.entries(tokens) as [keyof TokenUsage, string][];

const part = z.object({
  model: z.string().nullable(),
  usage: z.record(z.enum(usageNames), z.int().nullable()),
});

/** `chat gpt-4o`: the span's name by the conventions. */
export function spanName(record: UsageRecord): string {
  const model = record.requestedModel ?? record.model;
  return model === null ? record.operation : `${record.operation} ${model}`;
}

const blank = Object.fromEntries(entries.map(([field]) => [field, null]));

/** A record out of its JSON; what an older release did not write down is null or empty. Throws when it is no JSON. */
export function readRecord(json: string): UsageRecord {
  const empty = { usage: noUsage, tags: {}, terms: {}, tools: {}, parts: [], prefixHashes: [] };
  return { ...blank, ...empty, ...JSON.parse(json) };
}

/** The attributes of a record's span; what is null is left out. */
export function toAttributes(record: UsageRecord): Attributes {
  const attributes: Attributes = {};
  for (const [field, [name]] of entries) {
    const value = record[field];
    if (value !== null) attributes[name] = value;
  }
  for (const [part, name] of tokenEntries) {
    const count = record.usage[part];
    if (count !== null) attributes[name] = count;
  }
  for (const [field, prefix] of prefixEntries) {
    for (const [name, value] of Object.entries(record[field])) attributes[prefix + name] = value;
  }
  if (record.workload !== null) {
    // By OpenTelemetry's conventions, which have no name for the service account.
    const [cluster, namespace] = record.workload.split('/');
    Object.assign(attributes, { 'k8s.cluster.name': cluster, 'k8s.namespace.name': namespace });
  }
  // For others who read these spans; weir itself has them under its own names.
  if (record.finishReason !== null) attributes['gen_ai.response.finish_reasons'] = [record.finishReason];
  if (record.firstChunkMs !== null)
    attributes['gen_ai.response.time_to_first_chunk'] = record.firstChunkMs / 1_000;
  if (record.prefixHashes.length > 0) attributes[prefixesName] = record.prefixHashes.join(' ');
  if (record.parts.length > 0) attributes[partsName] = JSON.stringify(record.parts);
  return attributes;
}

/** A span as it arrives: ids in hex, times in epoch milliseconds with fractions. */
export interface ArrivedSpan {
  traceId: string;
  spanId: string;
  parentSpanId: string | null;
  startedAt: number;
  endedAt: number;
  attributes: ReadonlyMap<string, AttributeValue>;
}

/** The record behind a span of weir's; null for any other span. Values of the wrong type count as absent. */
export function fromSpan(span: ArrivedSpan): UsageRecord | null {
  const { attributes, ...own } = span;
  if (typeof attributes.get(fields.id[0]) !== 'string') return null;
  const read = (field: Field): unknown => {
    const [name, kind] = fields[field];
    const value = attributes.get(name);
    return typeof value === (kind === 'text' ? 'string' : kind === 'flag' ? 'boolean' : 'number')
      ? value
      : null;
  };
  const usage: TokenUsage = { ...noUsage };
  for (const [part, name] of tokenEntries) {
    const count = attributes.get(name);
    usage[part] = typeof count === 'number' ? count : null;
  }
  const values = Object.fromEntries(entries.map(([field]) => [field, read(field)]));
  const free = {
    tags: named(attributes, prefixes.tags, 'string'),
    terms: named(attributes, prefixes.terms, 'string'),
    tools: named(attributes, prefixes.tools, 'number'),
  };
  const parts = readParts(attributes.get(partsName));
  const prefixHashes = readWords(attributes.get(prefixesName));
  return { ...own, ...values, usage, ...free, parts, prefixHashes } as UsageRecord;
}

/** The attributes with a prefix, by the rest of their names. */
function named(
  attributes: ArrivedSpan['attributes'],
  prefix: string,
  type: 'string' | 'number',
): Record<string, AttributeValue> {
  const found: [string, AttributeValue][] = [];
  for (const [name, value] of attributes) {
    if (name.startsWith(prefix) && typeof value === type) found.push([name.slice(prefix.length), value]);
  }
  return Object.fromEntries(found);
}

function readWords(value: AttributeValue | undefined): string[] {
  return typeof value === 'string' ? value.split(' ') : [];
}

function readParts(value: AttributeValue | undefined): UsagePart[] {
  if (typeof value !== 'string') return [];
  try {
    return z.array(part).parse(JSON.parse(value));
  } catch {
    return [];
  }
}
