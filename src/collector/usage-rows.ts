import type { PoolClient } from 'pg';
import { type UsageRecord, usageNames } from '../usage/record.ts';
import { bookChange, type Key } from './bookings.ts';
import { settlingMs } from './closed-periods.ts';
import { type Column, insertStatement, insertValues, storable, storableJson } from './insert.ts';

/** The last time that Date knows. */
const maxDateMs = 8.64e15;
const text = (value: string | null) => (value === null ? null : storable(value));
/** An entry of an index holds 2,704 bytes, and that of the sums six names and tags (src/db/migrations/0022_analytics.sql). */
const maxIndexedBytes = 320;
const indexed = (value: string | null) => (value === null ? null : cutTo(storable(value)));

/** As much of a text as fits, in whole characters. */
function cutTo(value: string): string {
  if (value.length * 3 <= maxIndexedBytes || Buffer.byteLength(value) <= maxIndexedBytes) return value;
  let bytes = 0;
  let end = 0;
  for (const character of value) {
    bytes += Buffer.byteLength(character);
    if (bytes > maxIndexedBytes) break;
    end += character.length;
  }
  return value.slice(0, end);
}

/** Where each part of the usage stands: `cacheWrite5m` in `cache_write_5m_tokens`. */
export const tokenColumns = usageNames.map(
  (part) => [part, `${part.replace(/([a-z])([A-Z0-9])/g, '$1_$2').toLowerCase()}_tokens` as const] as const,
);

/** The columns of `usage` (src/db/migrations/0002_usage.sql) in a record. */
export const columns: Column<UsageRecord>[] = [
  ['trace_id', 'text', (r) => r.traceId],
  ['span_id', 'text', (r) => r.spanId],
  ['parent_span_id', 'text', (r) => r.parentSpanId],
  ['started_at', 'timestamptz', (r) => instant(r.startedAt)],
  ['duration_ms', 'float8', (r) => duration(r)],
  ['first_chunk_ms', 'float8', (r) => r.firstChunkMs],
  ['id', 'uuid', (r) => r.id],
  ['organization', 'text', (r) => text(r.organization)],
  ['api_key', 'text', (r) => indexed(r.apiKey)],
  ['end_user', 'text', (r) => indexed(r.user)],
  ['workload', 'text', (r) => indexed(r.workload)],
  ['processor', 'text', (r) => text(r.processor)],
  ['pod', 'text', (r) => text(r.pod)],
  ['pod_uid', 'text', (r) => text(r.podUid)],
  ['tags', 'jsonb', (r) => storableJson(r.tags)],
  ['provider', 'text', (r) => indexed(r.provider)],
  ['server_address', 'text', (r) => text(r.serverAddress)],
  ['dialect', 'text', (r) => text(r.dialect)],
  ['operation', 'text', (r) => text(r.operation)],
  ['method', 'text', (r) => text(r.method)],
  ['path', 'text', (r) => text(r.path)],
  ['stream', 'boolean', (r) => r.stream],
  ['requested_model', 'text', (r) => indexed(r.requestedModel)],
  ['model', 'text', (r) => indexed(r.model)],
  ['max_output_tokens', 'bigint', (r) => r.maxOutputTokens],
  ['temperature', 'float8', (r) => r.temperature],
  ['top_p', 'float8', (r) => r.topP],
  ['reasoning_effort', 'text', (r) => text(r.reasoningEffort)],
  ['outcome', 'text', (r) => r.outcome],
  ['status', 'integer', (r) => r.status],
  ['error_code', 'text', (r) => text(r.errorCode)],
  ['finish_reason', 'text', (r) => text(r.finishReason)],
  ['attempts', 'integer', (r) => r.attempts],
  ['limited_by', 'text', (r) => text(r.limitedBy)],
  ['cache', 'text', (r) => r.cache],
  ['cache_key', 'text', (r) => text(r.cacheKey)],
  ['cache_expires_at', 'timestamptz', (r) => (r.cacheExpiresAt === null ? null : instant(r.cacheExpiresAt))],
  ['prefix_hashes', 'jsonb', (r) => storableJson(r.prefixHashes)],
  ...tokenColumns.map(([part, name]): Column<UsageRecord> => [name, 'bigint', (r) => r.usage[part]]),
  ['parts', 'jsonb', (r) => storableJson(r.parts)],
  ['tools', 'jsonb', (r) => storableJson(r.tools)],
  ['terms', 'jsonb', (r) => storableJson(r.terms)],
  ['region', 'text', (r) => text(r.region)],
  ['usage_source', 'text', (r) => r.usageSource],
  ['list_usd', 'numeric', (r) => r.listUsd],
  ['cost_upper_usd', 'numeric', (r) => r.costUpperUsd],
  ['tool_usd', 'numeric', (r) => r.toolUsd],
  ['reported_usd', 'numeric', (r) => r.reportedUsd],
  ['cost_disputed', 'boolean', (r) => r.costDisputed],
  ['price_factors', 'text', (r) => text(r.priceFactors)],
  ['cost_usd', 'numeric', (r) => r.costUsd],
  ['saved_usd', 'numeric', (r) => r.savedUsd],
  ['price_model', 'text', (r) => text(r.priceModel)],
  ['price_version', 'text', (r) => text(r.priceVersion)],
  ['service_tier', 'text', (r) => text(r.serviceTier)],
  ['response_id', 'text', (r) => text(r.responseId)],
  ['provider_request_id', 'text', (r) => text(r.providerRequestId)],
  ['provider_organization', 'text', (r) => text(r.providerOrganization)],
  ['provider_project', 'text', (r) => text(r.providerProject)],
  ['credential_fingerprint', 'text', (r) => text(r.credentialFingerprint)],
  ['complexity', 'text', (r) => text(r.complexity)],
  ['complexity_score', 'float8', (r) => r.complexityScore],
  ['routing_mode', 'text', (r) => r.routingMode],
  ['routing_model', 'text', (r) => text(r.routingModel)],
  ['routing_provider', 'text', (r) => text(r.routingProvider)],
  ['routing_reason', 'text', (r) => text(r.routingReason)],
  ['routing_usd', 'numeric', (r) => r.routingUsd],
  ['baseline_model', 'text', (r) => text(r.baselineModel)],
  ['baseline_provider', 'text', (r) => text(r.baselineProvider)],
  ['baseline_usd', 'numeric', (r) => r.baselineUsd],
  ['baseline_source', 'text', (r) => r.baselineSource],
  ['baseline_input_tokens', 'bigint', (r) => r.baselineInput],
  ['baseline_output_tokens', 'bigint', (r) => r.baselineOutput],
  ['purpose', 'text', (r) => text(r.purpose)],
  ['purpose_of', 'text', (r) => text(r.purposeOf)],
];

// A record sent again changes nothing, save one: `interrupted` was concluded from a journal whose owner
// died, and gives way to the record of how the call went. `unsettled` may itself have become
// `interrupted` when no witness came, and would then return: it is known by its duration.
const update = columns.map(([name]) => `${name} = excluded.${name}`).join(', ');
const statement = `${insertStatement('usage', columns)}
  ON CONFLICT (trace_id, span_id, started_at) DO UPDATE SET ${update}
  WHERE usage.outcome = 'interrupted' AND excluded.outcome <> 'interrupted'
    AND (excluded.outcome <> 'unsettled' OR excluded.duration_ms <> usage.duration_ms)`;

/** Writes records, once each by (trace id, span id, start time), which must not occur twice in `records`. */
export async function insertUsage(
  client: PoolClient,
  records: readonly UsageRecord[],
  receivedAt: number,
): Promise<void> {
  const write = () => client.query(statement, insertValues(columns, records, receivedAt));
  const old = records.filter(({ startedAt }) => startedAt < receivedAt - settlingMs);
  if (old.length === 0) {
    await write();
    return;
  }
  await bookChange(client, old.map(keyOf), async () => {
    await write();
    await client.query(dropUnseen, [old.map(({ id }) => id)]);
  });
}

/** What a witness alone told of a call (unseen.ts) gives way to its record. */
const dropUnseen = `
  DELETE FROM usage made WHERE id = ANY ($1::uuid[]) AND error_code = 'unseen'
     AND EXISTS (SELECT FROM usage told WHERE told.id = made.id AND told.error_code IS DISTINCT FROM 'unseen')`;

/** Identity of a row. */
export function keyOf({ traceId, spanId, startedAt }: UsageRecord): Key {
  return [traceId, spanId, instant(startedAt)];
}

/** Identity of a record. */
export function recordKey(record: UsageRecord): string {
  return `${record.traceId} ${record.spanId} ${record.startedAt}`;
}

/** Of two records of one identity the one to keep; the same rule as in the statement above. */
export function betterRecord(first: UsageRecord, second: UsageRecord): UsageRecord {
  if (first.outcome !== 'interrupted' || second.outcome === 'interrupted') return first;
  return second.outcome !== 'unsettled' || duration(first) !== duration(second) ? second : first;
}

/** Milliseconds, to the microsecond. */
function duration(record: UsageRecord): number {
  return Math.round((record.endedAt - record.startedAt) * 1_000) / 1_000;
}

/** ISO 8601 with microseconds; what is no time is left to PostgreSQL to refuse. */
export function instant(milliseconds: number): string {
  if (!(Math.abs(milliseconds) <= maxDateMs)) return String(milliseconds);
  const microseconds = Math.round(milliseconds * 1_000);
  const fraction = String(microseconds % 1_000_000).padStart(6, '0');
  return `${new Date(Math.floor(microseconds / 1_000)).toISOString().slice(0, 19)}.${fraction}Z`;
}
