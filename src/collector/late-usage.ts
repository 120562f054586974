import type { PoolClient } from 'pg';
import type { Logger } from 'pino';
import { type Pool, withConnection } from '../db/pool.ts';
import { asArray, asCount, asObject, asString } from '../dialects/json.ts';
import type { PriceSource } from '../exchange/baseline.ts';
import { noUsage, type UsageRecord } from '../usage/record.ts';
import { bookChange } from './bookings.ts';
import { insertDeadLetters } from './dead-letters.ts';
import type { Refusals } from './group-commit.ts';
import { insertAllButFaulty, storable, storableJson } from './insert.ts';
import { type PricedRow, pricedColumns, priceRow } from './priced-rows.ts';
import { tokenColumns } from './usage-rows.ts';

/** A read of an answer that was made before, with the numbers of that answer. */
export function isLate(record: UsageRecord): boolean {
  return record.operation === 'retrieve' && record.usageSource !== null && record.responseId !== null;
}

/** A call that may get its numbers from a later read. */
export function isPending({ dialect, operation, usageSource, responseId }: UsageRecord): boolean {
  const isStored = dialect?.startsWith('openai-responses') && operation !== 'retrieve';
  return isStored === true && usageSource !== 'provider' && responseId !== null;
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

const insert = `
  INSERT INTO late_usage (organization, provider, response_id, facts)
  SELECT * FROM jsonb_to_recordset($1) AS row(organization text, provider text, response_id text, facts jsonb)
  ON CONFLICT DO NOTHING`;

/** Keeps what late reads tell: the first of each answer. Those that PostgreSQL refuses come back with the reason. */
export async function keepLateUsage<T extends { record: UsageRecord }>(
  client: PoolClient,
  late: readonly T[],
): Promise<Refusals<T>> {
  return insertAllButFaulty(late, (part) => {
    const rows = part.map(({ record }) => {
      const { model, finishReason, serviceTier, parts, tools, terms, reportedUsd, usage } = record;
      const facts = { model, finishReason, serviceTier, parts, tools, terms, reportedUsd, usage };
      const { organization, provider, responseId } = record;
      return { organization, provider, response_id: storable(responseId ?? ''), facts };
    });
    return client.query(insert, [storableJson(rows)]);
  });
}

// In the order of their keys: writers side by side lock rows in the same order.
const select = `
  SELECT ${pricedColumns}, late.facts
    FROM late_usage late JOIN usage USING (organization, provider, response_id)
   WHERE late.response_id = ANY ($1) AND late.facts ? 'usage' AND usage.usage_source IS DISTINCT FROM 'provider'
     AND usage.operation <> 'retrieve' AND usage.cache NOT IN ('hit', 'coalesced')
   ORDER BY usage.trace_id, usage.span_id, usage.started_at`;

const changed: [name: string, type: string][] = [
  ...tokenColumns.map(([, name]): [string, string] => [name, 'bigint']),
  ...[
    'model',
    'finish_reason',
    'service_tier',
    'price_model',
    'price_version',
    'price_factors',
    'baseline_source',
  ].map((name): [string, string] => [name, 'text']),
  ...['parts', 'tools', 'terms'].map((name): [string, string] => [name, 'jsonb']),
  ...[
    'reported_usd',
    'list_usd',
    'cost_usd',
    'tool_usd',
    'cost_upper_usd',
    'baseline_usd',
    'routing_usd',
  ].map((name): [string, string] => [name, 'numeric']),
  ['cost_disputed', 'boolean'],
  ['usage_source', 'text'],
];
const update = `
  UPDATE usage SET ${changed.map(([name]) => `${name} = new.${name}`).join(', ')}
    FROM jsonb_to_recordset($1) AS new(key text[], ${changed.map((each) => each.join(' ')).join(', ')})
   WHERE usage.trace_id = new.key[1] AND usage.span_id = new.key[2] AND usage.started_at = new.key[3]::timestamptz
     AND usage.usage_source IS DISTINCT FROM 'provider'`;

type Pending = PricedRow & { facts: unknown };

/**
 * Gives calls that have no numbers of their provider those of a later read, whichever came first; each once,
 * priced as the call was made.
 */
export async function settleLateUsage(
  pool: Pool,
  responseIds: string[],
  options: { source: PriceSource; log: Logger; now: number },
): Promise<void> {
  if (responseIds.length === 0) return;
  await withConnection(pool, async (client) => {
    const { rows } = await client.query<Pending>(select, [responseIds.map(storable)]);
    if (rows.length === 0) return;
    const settle = (part: readonly Pending[]) => {
      const keys = part.map(({ key }) => key);
      return bookChange(client, keys, () =>
        client.query(update, [storableJson(part.map((row) => told(row, options.source)))]),
      );
    };
    const faulty = await insertAllButFaulty(rows, settle);
    if (faulty.size > 0) options.log.warn({ count: faulty.size }, 'later reads could not settle their calls');
    const letters = [...faulty].map(([row, reason]) => ({ reason, content: row }));
    await insertDeadLetters(client, letters, options.now);
  });
}

/** The columns of a call as a later read tells them. */
function told({ facts, ...row }: Pending, source: PriceSource) {
  const read = asObject(facts) ?? {};
  const usage = asObject(read.usage) ?? {};
  const tokens = Object.fromEntries(tokenColumns.map(([part, name]) => [name, asCount(usage[part])]));
  const reported = asString(read.reportedUsd);
  const now: PricedRow = {
    ...row,
    ...tokens,
    model: asString(read.model) ?? row.model,
    serviceTier: asString(read.serviceTier),
    parts: asArray(read.parts) as PricedRow['parts'],
    tools: (asObject(read.tools) ?? {}) as PricedRow['tools'],
    // How the credential of the first call is paid for counts.
    terms: { ...(asObject(read.terms) as PricedRow['terms']), ...row.terms },
    reportedUsd: reported !== null && /^\d+(\.\d+)?$/.test(reported) ? reported : null,
    usageSource: 'provider',
  };
  return {
    key: row.key,
    ...tokens,
    ...priceRow(now, source),
    model: now.model,
    finish_reason: asString(read.finishReason),
    service_tier: now.serviceTier,
    parts: now.parts,
    tools: now.tools,
    terms: now.terms,
    reported_usd: now.reportedUsd,
    cost_upper_usd: null,
    usage_source: now.usageSource,
  };
}
