import type { Pool } from '../db/pool.ts';
import { bookingsOf } from './bookings.ts';
import type { TimeRange } from './dates.ts';
import { toCsv } from './table.ts';
import { type CallFilter, condition, Parameters } from './usage-query.ts';

/** The columns of FOCUS 1.2 (focus.finops.org) that a ledger of list prices can fill. */
const columns = [
  'BilledCost',
  'BillingAccountId',
  'BillingAccountName',
  'BillingCurrency',
  'BillingPeriodStart',
  'BillingPeriodEnd',
  'ChargeCategory',
  'ChargeClass',
  'ChargeDescription',
  'ChargeFrequency',
  'ChargePeriodStart',
  'ChargePeriodEnd',
  'ConsumedQuantity',
  'ConsumedUnit',
  'ContractedCost',
  'EffectiveCost',
  'InvoiceIssuerName',
  'ListCost',
  'PricingQuantity',
  'PricingUnit',
  'ProviderName',
  'PublisherName',
  'RegionId',
  'ServiceCategory',
  'ServiceName',
  'ServiceSubcategory',
  'SkuId',
  'SubAccountId',
  'Tags',
];

interface Row {
  day: Date;
  next: Date;
  month: Date;
  next_month: Date;
  provider: string;
  model: string | null;
  region: string | null;
  api_key: string | null;
  tags: Record<string, string>;
  tokens: number;
  cost_usd: string | null;
  list_usd: string | null;
}

/** A day of one model, key and set of tags, as FOCUS has it: days and months are UTC's, as invoices are. */
export async function focusCsv(
  pool: Pool,
  query: { organization: string; range: TimeRange; filter: CallFilter },
): Promise<string> {
  const parameters = new Parameters();
  const { rows } = await pool.query<Row>(
    `SELECT date_trunc('day', started_at, 'UTC') AS day,
            date_trunc('day', started_at, 'UTC') + interval '1 day' AS next,
            date_trunc('month', started_at, 'UTC') AS month,
            (date_trunc('month', started_at AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC' AS next_month,
            provider, coalesce(model, requested_model) AS model, region, api_key, tags,
            coalesce(sum(input_tokens), 0)::bigint + coalesce(sum(output_tokens), 0)::bigint AS tokens,
            trim_scale(sum(cost_usd) + coalesce(sum(tool_usd), 0))::text AS cost_usd,
            trim_scale(sum(list_usd) + coalesce(sum(tool_usd), 0))::text AS list_usd
       FROM ${await bookingsOf(pool)}
      WHERE ${condition(parameters, query)} AND cache NOT IN ('hit', 'coalesced')
      GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
      HAVING sum(cost_usd) IS NOT NULL OR sum(input_tokens) > 0
      ORDER BY 1, 5, 6`,
    parameters.values,
  );
  const charges = rows.map((row) => ({
    // What has no price is charged nothing here: it is listed as unpriced elsewhere.
    BilledCost: row.cost_usd ?? '0',
    BillingAccountId: query.organization,
    BillingAccountName: query.organization,
    BillingCurrency: 'USD',
    BillingPeriodStart: row.month,
    BillingPeriodEnd: row.next_month,
    ChargeCategory: 'Usage',
    ChargeDescription: `Tokens of ${row.model ?? 'an unknown model'}`,
    ChargeFrequency: 'Usage-Based',
    ChargePeriodStart: row.day,
    ChargePeriodEnd: row.next,
    ConsumedQuantity: row.tokens,
    ConsumedUnit: 'Tokens',
    ContractedCost: row.cost_usd ?? '0',
    EffectiveCost: row.cost_usd ?? '0',
    InvoiceIssuerName: row.provider,
    ListCost: row.list_usd ?? row.cost_usd ?? '0',
    PricingQuantity: row.tokens,
    PricingUnit: 'Tokens',
    ProviderName: row.provider,
    PublisherName: row.provider,
    RegionId: row.region,
    ServiceCategory: 'AI and Machine Learning',
    ServiceName: row.model ?? 'unknown',
    ServiceSubcategory: 'Generative AI',
    SkuId: row.model,
    SubAccountId: row.api_key,
    Tags: JSON.stringify(row.tags),
  }));
  return toCsv(charges, columns);
}
