import { type Compared, comparison, type PriceSource } from '../exchange/baseline.ts';
import { priceFields } from '../exchange/pricing.ts';
import type { TokenUsage, UsageRecord } from '../usage/record.ts';
import type { Key } from './bookings.ts';
import { tokenColumns } from './usage-rows.ts';

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
  Omit<Compared, 'usage' | 'startedAt'> &
  Pick<UsageRecord, 'baselineUsd' | 'baselineSource' | 'routingUsd'> &
  Pick<UsageRecord, 'reportedUsd' | 'credentialFingerprint' | 'usageSource'>;

/** The columns of a PricedRow. */
export const pricedColumns = `
  ARRAY[usage.trace_id, usage.span_id, usage.started_at::text] AS key,
  extract(epoch FROM usage.started_at)::float8 * 1000 AS started_ms,
  usage.provider, server_address, path, model, cache, terms, tools, parts, requested_model AS "requestedModel",
  routing_mode AS "routingMode", routing_model AS "routingModel", routing_provider AS "routingProvider",
  baseline_model AS "baselineModel", baseline_provider AS "baselineProvider", baseline_source AS "baselineSource",
  baseline_input_tokens AS "baselineInput", baseline_output_tokens AS "baselineOutput", purpose,
  trim_scale(usage.baseline_usd)::text AS "baselineUsd", trim_scale(usage.routing_usd)::text AS "routingUsd", service_tier AS "serviceTier", reported_usd::text AS "reportedUsd", trim_scale(usage.saved_usd)::text AS saved_usd,
  credential_fingerprint AS "credentialFingerprint", usage_source AS "usageSource",
  ${tokenColumns.map(([, name]) => `usage.${name}`).join(', ')}`;

/** The columns of usage that say what a call costs. Money in decimal strings. */
export function priceRow(row: PricedRow, source: PriceSource) {
  const { pricer, providers } = source;
  const usage = Object.fromEntries(tokenColumns.map(([part, name]) => [part, row[name]])) as TokenUsage;
  const base_url = providers[row.provider]?.base_url ?? `https://${row.server_address}`;
  const price = priceFields({ ...row, usage, startedAt: row.started_ms }, { provider: { base_url } }, pricer);
  // What weir answered itself costs nothing, and saves what its call would have cost.
  const isOwn = row.cache === 'hit' || row.cache === 'coalesced';
  return {
    list_usd: isOwn ? null : price.listUsd,
    cost_usd: isOwn ? '0' : price.costUsd,
    saved_usd: isOwn ? price.costUsd : row.saved_usd,
    tool_usd: isOwn ? null : price.toolUsd,
    ...comparedRow(row, usage, isOwn, source),
    cost_disputed: price.costDisputed,
    price_model: price.priceModel,
    price_version: price.priceVersion,
    price_factors: price.priceFactors,
  };
}

/** What a hit is compared with is its saving; of old rows nobody knows at whom a model would have been asked. */
function comparedRow(row: PricedRow, usage: TokenUsage, isOwn: boolean, source: PriceSource) {
  const compared = comparison({ ...row, usage, startedAt: row.started_ms }, source);
  const hasBaseline = !isOwn && (row.baselineProvider !== null || row.baselineModel === null);
  const hasShadow = !isOwn && (row.routingProvider !== null || row.routingModel === null);
  return {
    baseline_usd: hasBaseline ? compared.baselineUsd : row.baselineUsd,
    baseline_source: hasBaseline ? compared.baselineSource : row.baselineSource,
    routing_usd: hasShadow ? compared.routingUsd : row.routingUsd,
  };
}
