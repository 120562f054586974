import type { Pool } from '../db/pool.ts';
import { priceFields } from '../exchange/pricing.ts';
import type { Pricer } from '../usage/price.ts';
import type { TokenUsage, UsageRecord } from '../usage/record.ts';
import { tokenColumns } from './usage-rows.ts';

const batch = 1_000;

export interface Repriced {
  /** Rows with usage in the range. */
  looked: number;
  /** Rows whose price is another one now. */
  changed: number;
  unpricedBefore: number;
  unpricedAfter: number;
}

/** A row as its price needs it. Money and times in PostgreSQL's own text. */
type Row = {
  key: [traceId: string, spanId: string, startedAt: string];
  started_ms: number;
  server_address: string;
  saved_usd: string | null;
  list_usd: string | null;
  cost_usd: string | null;
  tool_usd: string | null;
} & Record<(typeof tokenColumns)[number][1], number | null> &
  Pick<
    UsageRecord,
    'provider' | 'path' | 'model' | 'cache' | 'terms' | 'tools' | 'parts' | 'requestedModel' | 'serviceTier'
  > &
  Pick<UsageRecord, 'reportedUsd' | 'credentialFingerprint' | 'usageSource'>;

const select = `
  SELECT ARRAY[trace_id, span_id, started_at::text] AS key, extract(epoch FROM started_at)::float8 * 1000 AS started_ms,
         provider, server_address, path, model, cache, terms, tools, parts, requested_model AS "requestedModel",
         service_tier AS "serviceTier", reported_usd::text AS "reportedUsd",
         credential_fingerprint AS "credentialFingerprint", usage_source AS "usageSource",
         ${['saved', 'list', 'cost', 'tool'].map((name) => `trim_scale(${name}_usd)::text AS ${name}_usd`).join(', ')},
         ${tokenColumns.map(([, name]) => name).join(', ')}
    FROM usage
   WHERE started_at >= $1 AND started_at < $2 AND usage_source IS NOT NULL
     AND (started_at, trace_id, span_id) > ($3::timestamptz, $4, $5)
   ORDER BY started_at, trace_id, span_id
   LIMIT ${batch}`;

const update = `
  UPDATE usage
     SET list_usd = new.list_usd::numeric, cost_usd = new.cost_usd::numeric, saved_usd = new.saved_usd::numeric,
         tool_usd = new.tool_usd::numeric, cost_disputed = new.cost_disputed, price_model = new.price_model,
         price_version = new.price_version, price_factors = new.price_factors
    FROM jsonb_to_recordset($1) AS new(key text[], list_usd text, cost_usd text, saved_usd text, tool_usd text,
         cost_disputed boolean, price_model text, price_version text, price_factors text)
   WHERE usage.trace_id = new.key[1] AND usage.span_id = new.key[2] AND usage.started_at = new.key[3]::timestamptz`;

/**
 * Prices the calls of a range of time anew, by today's table and config at the dates of the calls: what was
 * unpriced gets a price when one is known now. `dryRun` counts and changes nothing.
 */
export async function reprice(
  pool: Pool,
  range: { from: string; to: string },
  options: { pricer: Pricer; baseUrl: (provider: string) => string | undefined; dryRun: boolean },
): Promise<Repriced> {
  const total: Repriced = { looked: 0, changed: 0, unpricedBefore: 0, unpricedAfter: 0 };
  let last = ['-infinity', '', ''];
  for (;;) {
    const { rows } = await pool.query<Row>(select, [range.from, range.to, ...last]);
    const priced = rows.map((row) => ({ row, price: priceOf(row, options) }));
    const changes = priced.filter(({ row, price }) => isOther(row, price));
    total.looked += rows.length;
    total.changed += changes.length;
    total.unpricedBefore += priced.filter(({ row }) => row.cost_usd === null).length;
    total.unpricedAfter += priced.filter(({ price }) => price.cost_usd === null).length;
    if (!options.dryRun && changes.length > 0) {
      const values = changes.map(({ row, price }) => ({ key: row.key, ...price }));
      await pool.query(update, [JSON.stringify(values)]);
    }
    const end = rows.at(-1);
    if (!end || rows.length < batch) return total;
    const [traceId, spanId, startedAt] = end.key;
    last = [startedAt, traceId, spanId];
  }
}

function priceOf(row: Row, options: Parameters<typeof reprice>[2]) {
  const usage = Object.fromEntries(tokenColumns.map(([part, name]) => [part, row[name]])) as TokenUsage;
  const base_url = options.baseUrl(row.provider) ?? `https://${row.server_address}`;
  const price = priceFields(
    { ...row, usage, startedAt: row.started_ms },
    { provider: { base_url } },
    options.pricer,
  );
  const isHit = row.cache === 'hit';
  return {
    list_usd: isHit ? null : price.listUsd,
    // A hit costs nothing, and saves what its call would have cost.
    cost_usd: isHit ? '0' : price.costUsd,
    saved_usd: isHit ? price.costUsd : row.saved_usd,
    tool_usd: isHit ? null : price.toolUsd,
    cost_disputed: price.costDisputed,
    price_model: price.priceModel,
    price_version: price.priceVersion,
    price_factors: price.priceFactors,
  };
}

function isOther(row: Row, price: ReturnType<typeof priceOf>): boolean {
  const names = ['list_usd', 'cost_usd', 'saved_usd', 'tool_usd'] as const;
  return names.some((name) => row[name] !== price[name]);
}
