import { priceFields } from '../exchange/pricing.ts';
import type { Pricer } from '../usage/price.ts';
import type { TokenUsage, UsageRecord } from '../usage/record.ts';
import type { Key } from './bookings.ts';
import { tokenColumns } from './usage-rows.ts';

/** By what rows are priced: the table and the config of today, at the dates of the calls. */
export interface PriceSource {
  pricer: Pricer;
  /** Of a provider that the config has. */
  baseUrl(provider: string): string | undefined;
}

/** A row as its price needs it. */
export type PricedRow = {
  key: Key;
  started_ms: number;
  server_address: string;
  saved_usd: string | null;
} & Record<(typeof tokenColumns)[number][1], number | null> &
  Pick<
    UsageRecord,
    'provider' | 'path' | 'model' | 'cache' | 'terms' | 'tools' | 'parts' | 'requestedModel' | 'serviceTier'
  > &
  Pick<UsageRecord, 'routingMode' | 'routingModel'> &
  Pick<UsageRecord, 'reportedUsd' | 'credentialFingerprint' | 'usageSource'>;

/** The columns of a PricedRow. */
export const pricedColumns = `
  ARRAY[usage.trace_id, usage.span_id, usage.started_at::text] AS key,
  extract(epoch FROM usage.started_at)::float8 * 1000 AS started_ms,
  usage.provider, server_address, path, model, cache, terms, tools, parts, requested_model AS "requestedModel",
  routing_mode AS "routingMode", routing_model AS "routingModel", service_tier AS "serviceTier", reported_usd::text AS "reportedUsd", trim_scale(usage.saved_usd)::text AS saved_usd,
  credential_fingerprint AS "credentialFingerprint", usage_source AS "usageSource",
  ${tokenColumns.map(([, name]) => `usage.${name}`).join(', ')}`;

/** The columns of usage that say what a call costs. Money in decimal strings. */
export function priceRow(row: PricedRow, { pricer, baseUrl }: PriceSource) {
  const usage = Object.fromEntries(tokenColumns.map(([part, name]) => [part, row[name]])) as TokenUsage;
  const base_url = baseUrl(row.provider) ?? `https://${row.server_address}`;
  const price = priceFields({ ...row, usage, startedAt: row.started_ms }, { provider: { base_url } }, pricer);
  // What weir answered itself costs nothing, and saves what its call would have cost.
  const isOwn = row.cache === 'hit' || row.cache === 'coalesced';
  return {
    list_usd: isOwn ? null : price.listUsd,
    cost_usd: isOwn ? '0' : price.costUsd,
    saved_usd: isOwn ? price.costUsd : row.saved_usd,
    tool_usd: isOwn ? null : price.toolUsd,
    cost_disputed: price.costDisputed,
    price_model: price.priceModel,
    price_version: price.priceVersion,
    price_factors: price.priceFactors,
  };
}
