import type { PoolClient } from 'pg';
import type { Pool } from '../db/pool.ts';
import { noUsage, type UsageRecord } from '../usage/record.ts';
import { columns } from './usage-rows.ts';

/** What a later read of an answer tells of the call that asked for it. */
const told = columns.filter(
  ([name]) =>
    /_tokens$|^(model|finish_reason|service_tier|parts|tools|terms|usage_source|list_usd|cost_usd|tool_usd|reported_usd|cost_disputed|price_\w+)$/.test(
      name,
    ) && name !== 'max_output_tokens',
);

/** A read of an answer that was made before, with the numbers of that answer. */
export function isLate(record: UsageRecord): boolean {
  return record.operation === 'retrieve' && record.usageSource !== null && record.responseId !== null;
}

/** The read itself costs nothing: its numbers belong to the first call. */
export function withoutNumbers(record: UsageRecord): UsageRecord {
  const nothing = { usage: noUsage, usageSource: null, parts: [], tools: {} };
  return {
    ...record,
    ...nothing,
    listUsd: null,
    costUsd: '0',
    toolUsd: null,
    reportedUsd: null,
    costDisputed: null,
  };
}

/** Keeps what late reads tell. Told again, it changes nothing. */
export async function insertLateUsage(client: PoolClient, records: readonly UsageRecord[]): Promise<void> {
  if (records.length === 0) return;
  const rows = records.map((record) => ({
    organization: record.organization,
    provider: record.provider,
    response_id: record.responseId,
    facts: Object.fromEntries(told.map(([name, , value]) => [name, value(record)])),
  }));
  await client.query(
    `INSERT INTO late_usage (organization, provider, response_id, facts)
       SELECT * FROM jsonb_to_recordset($1) AS row(organization text, provider text, response_id text, facts jsonb)
       ON CONFLICT DO NOTHING`,
    [JSON.stringify(rows)],
  );
}

const set = told.map(([name, type]) => `${name} = (late.facts->>'${name}')::${type}`).join(', ');

/**
 * Gives calls that are without numbers those of a later read, whichever came first; each once. `null`: of
 * all reads of the last thirty days.
 */
export async function settleLate(client: PoolClient | Pool, responseIds: string[] | null): Promise<void> {
  await client.query(
    `UPDATE usage SET ${set}
       FROM late_usage late
      WHERE usage.organization = late.organization AND usage.provider = late.provider
        AND usage.response_id = late.response_id
        AND usage.usage_source IS NULL AND usage.operation <> 'retrieve'
        AND (late.response_id = ANY ($1) OR $1 IS NULL AND late.received_at > now() - interval '30 days')`,
    [responseIds],
  );
}
