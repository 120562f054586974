import { createHash } from 'node:crypto';
import { defaultOrganization } from '../../identity/store.ts';
import { noUsage, type TokenUsage, type UsageRecord } from '../../usage/record.ts';
import { readRecord } from '../../usage/span.ts';
import type { Attributes, Span } from '../otlp.ts';

/**
 * What a span of another says of a model call, by OpenTelemetry's GenAI conventions (1.28 to 1.41) and by the names
 * that instrumentations had before and beside them (OpenLLMetry's `llm.*`); the first that is there counts.
 */
const names = {
  provider: ['gen_ai.provider.name', 'gen_ai.system'],
  operation: ['gen_ai.operation.name', 'llm.request.type'],
  requestedModel: ['gen_ai.request.model'],
  model: ['gen_ai.response.model'],
  responseId: ['gen_ai.response.id'],
  finishReason: [
    'gen_ai.response.finish_reasons',
    'gen_ai.response.finish_reason',
    'llm.response.finish_reason',
  ],
  input: ['gen_ai.usage.input_tokens', 'gen_ai.usage.prompt_tokens', 'llm.usage.prompt_tokens'],
  output: ['gen_ai.usage.output_tokens', 'gen_ai.usage.completion_tokens', 'llm.usage.completion_tokens'],
  cacheRead: [
    'gen_ai.usage.cache_read.input_tokens',
    'gen_ai.usage.cache_read_input_tokens',
    'gen_ai.usage.details.cached_tokens',
  ],
  cacheWrite: ['gen_ai.usage.cache_creation.input_tokens', 'gen_ai.usage.cache_creation_input_tokens'],
  reasoning: [
    'gen_ai.usage.reasoning.output_tokens',
    'gen_ai.usage.reasoning_tokens',
    'gen_ai.usage.details.reasoning_tokens',
  ],
  maxOutputTokens: ['gen_ai.request.max_tokens', 'llm.request.max_tokens'],
  temperature: ['gen_ai.request.temperature'],
  topP: ['gen_ai.request.top_p'],
  reasoningEffort: ['gen_ai.request.reasoning_effort', 'gen_ai.openai.request.reasoning_effort'],
  stream: ['gen_ai.request.stream', 'llm.is_streaming', 'gen_ai.is_streaming'],
  firstChunk: ['gen_ai.response.time_to_first_chunk', 'gen_ai.server.time_to_first_token'],
  serviceTier: ['openai.response.service_tier', 'gen_ai.openai.response.service_tier'],
  user: ['enduser.id', 'user.id', 'gen_ai.request.user', 'llm.user'],
  serverAddress: ['server.address', 'net.peer.name'],
  path: ['url.path'],
  status: ['http.response.status_code', 'http.status_code'],
  errorCode: ['error.type', 'exception.type'],
} as const;

/** The conventions' names of providers, where weir's are others. Old ones first. */
const providers: Record<string, string> = {
  gemini: 'gemini',
  'gcp.gemini': 'gemini',
  'gcp.gen_ai': 'gemini',
  vertex_ai: 'vertex',
  'gcp.vertex_ai': 'vertex',
  'aws.bedrock': 'bedrock',
  'az.ai.openai': 'azure',
  'azure.ai.openai': 'azure',
  'az.ai.inference': 'azure',
  'azure.ai.inference': 'azure',
  mistral_ai: 'mistral',
  x_ai: 'xai',
  together_ai: 'together',
};

/** Calls of models; agents and tools sum up what others have told. */
const operations: Record<string, string> = {
  chat: 'chat',
  completion: 'text_completion',
  text_completion: 'text_completion',
  generate_content: 'generate_content',
  embeddings: 'embeddings',
  embedding: 'embeddings',
};
const server = 2;

/** The record of a model call that another than weir tells of; null: the span tells of none. */
export function fromGenAiSpan(span: Span): UsageRecord | null {
  const { attributes, resource } = span;
  const provider = text(attributes, names.provider)?.toLowerCase();
  const requestedModel = text(attributes, names.requestedModel);
  const model = text(attributes, names.model);
  const asked = text(attributes, names.operation)?.toLowerCase();
  const usage = usageOf(attributes, provider ?? '');
  // Before there were operations, a call was what has a model and tokens.
  const operation = asked === undefined ? (usage.input === null ? undefined : 'chat') : operations[asked];
  const isCall = provider !== undefined && operation !== undefined && (requestedModel ?? model) !== undefined;
  // A server that runs a model tells of the same call as its caller.
  if (!isCall || span.kind === server) return null;
  const status = number(attributes, names.status) ?? null;
  const errorCode = text(attributes, names.errorCode) ?? null;
  const failed = span.failed || errorCode !== null || (status ?? 0) >= 400;
  const firstChunk = number(attributes, names.firstChunk);
  return {
    ...readRecord('{}'),
    id: idOf(span),
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId,
    startedAt: span.startedAt,
    endedAt: span.endedAt,
    firstChunkMs: firstChunk === undefined ? null : firstChunk * 1_000,
    organization: organizationOf(span),
    user: text(attributes, names.user) ?? null,
    workload: workloadOf(resource),
    pod: text(resource, ['k8s.pod.name']) ?? null,
    podUid: text(resource, ['k8s.pod.uid']) ?? null,
    provider: providers[provider] ?? provider,
    serverAddress: text(attributes, names.serverAddress) ?? '',
    operation,
    method: 'POST',
    path: text(attributes, names.path) ?? '',
    stream: flag(attributes, names.stream),
    requestedModel: requestedModel ?? null,
    model: model ?? null,
    maxOutputTokens: number(attributes, names.maxOutputTokens) ?? null,
    temperature: number(attributes, names.temperature) ?? null,
    topP: number(attributes, names.topP) ?? null,
    reasoningEffort: text(attributes, names.reasoningEffort) ?? null,
    outcome: failed ? 'upstream_error' : 'completed',
    status: status ?? (failed ? null : 200),
    errorCode: failed ? (errorCode ?? 'error') : null,
    finishReason: firstOf(text(attributes, names.finishReason)),
    attempts: 1,
    cache: 'bypass',
    usage,
    usageSource: usage.input === null && usage.output === null ? null : 'provider',
    serviceTier: text(attributes, names.serviceTier) ?? null,
    responseId: text(attributes, names.responseId) ?? null,
  };
}

/** Who is told of in a span or its resource; there is nobody to ask whose it is. */
export function organizationOf({ attributes, resource }: Pick<Span, 'attributes' | 'resource'>): string {
  const name = ['weir.organization'];
  return text(attributes, name) ?? text(resource, name) ?? defaultOrganization;
}

/** Input is told with and without what was read from and written to a prompt cache: parts are never more than the whole. */
function usageOf(attributes: Attributes, provider: string): TokenUsage {
  const count = (of: readonly string[]) => number(attributes, of) ?? null;
  const input = count(names.input);
  const [cacheRead, cacheWrite] = [count(names.cacheRead), count(names.cacheWrite)];
  const cached = (cacheRead ?? 0) + (cacheWrite ?? 0);
  const isWithout =
    input !== null && (cached > input || (/anthropic|bedrock/.test(provider) && isOld(attributes)));
  return {
    ...noUsage,
    input: isWithout ? input + cached : input,
    output: count(names.output),
    cacheRead,
    cacheWrite,
    reasoning: count(names.reasoning),
  };
}

/** By names from before the conventions said that input includes what is cached. */
function isOld(attributes: Attributes): boolean {
  return attributes.has('gen_ai.usage.cache_read_input_tokens') && !attributes.has('gen_ai.provider.name');
}

/** As weir names workloads: `cluster/namespace/name`; null: nobody runs it in Kubernetes. */
function workloadOf(resource: Attributes): string | null {
  const namespace = text(resource, ['k8s.namespace.name', 'service.namespace']);
  const name = text(resource, [
    'k8s.deployment.name',
    'k8s.statefulset.name',
    'k8s.job.name',
    'service.name',
  ]);
  if (name === undefined || name.startsWith('unknown_service')) return null;
  return [text(resource, ['k8s.cluster.name']) ?? '-', namespace ?? '-', name].join('/');
}

/** The same for the same span. */
function idOf({ traceId, spanId, startedAt }: Span): string {
  const hash = createHash('sha256').update(`${traceId} ${spanId} ${startedAt}`).digest('hex');
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(13, 16)}-8${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
}

function text(attributes: Attributes, of: readonly string[]): string | undefined {
  for (const name of of) {
    const value = attributes.get(name);
    if (typeof value === 'string' && value !== '') return value.slice(0, maxChars);
  }
  return undefined;
}
const maxChars = 512;

/** Some instrumentations write numbers as text. */
function number(attributes: Attributes, of: readonly string[]): number | undefined {
  for (const name of of) {
    const value = attributes.get(name);
    const read = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    if (typeof read === 'number' && Number.isFinite(read) && read >= 0) return read;
  }
  return undefined;
}

function flag(attributes: Attributes, of: readonly string[]): boolean {
  return of.some((name) => String(attributes.get(name)).toLowerCase() === 'true');
}

/** A list travels as JSON. */
function firstOf(list: string | undefined): string | null {
  if (list === undefined) return null;
  const [, first] = /^\["?([^",\]]*)/.exec(list) ?? [];
  return first ?? list;
}
