import type { PoolClient } from 'pg';
import { type Pool, withConnection } from '../db/pool.ts';
import type { PriceSource } from '../exchange/baseline.ts';
import { whileOpen } from './closed-periods.ts';
import { type PricedRow, pricedColumns, priceRow } from './priced-rows.ts';

const batch = 1_000;
const comparisons = ['baseline_usd', 'routing_usd'] as const;
const money = ['list_usd', 'cost_usd', 'saved_usd', 'tool_usd', ...comparisons] as const;

export interface Repriced {
  /** Rows with usage in the range. */
  looked: number;
  /** Rows whose price is another one now. */
  changed: number;
  /** Rows of closed periods whose price is another one: they stay, and what they lack is booked now. */
  adjusted: number;
  unpricedBefore: number;
  unpricedAfter: number;
}

/** With the money that it comes to, adjustments included; decimal strings. */
type Row = PricedRow & Record<(typeof money)[number], string | null> & { closed: boolean };

// An adjustment without a value leaves the value of the row.
const effective = (name: string) =>
  `trim_scale(CASE WHEN adjusted.${name} IS NULL THEN usage.${name} ELSE coalesce(usage.${name}, 0) + adjusted.${name} END)::text AS ${name}`;

const select = `
  SELECT ${pricedColumns}, ${money.map(effective).join(', ')}, coalesce(usage.started_at < $6, false) AS closed
    FROM usage LEFT JOIN LATERAL (
           SELECT ${money.map((name) => `sum(${name}) AS ${name}`).join(', ')} FROM usage_adjustments a
            WHERE a.trace_id = usage.trace_id AND a.span_id = usage.span_id AND a.started_at = usage.started_at
         ) adjusted ON true
   WHERE started_at >= $1 AND started_at < $2 AND usage_source IS NOT NULL
     AND (started_at, trace_id, span_id) > ($3::timestamptz, $4, $5)
   ORDER BY started_at, trace_id, span_id
   LIMIT ${batch}`;

const update = `
  UPDATE usage
     SET list_usd = new.list_usd::numeric, cost_usd = new.cost_usd::numeric, saved_usd = new.saved_usd::numeric,
         tool_usd = new.tool_usd::numeric, baseline_usd = new.baseline_usd::numeric, baseline_source = new.baseline_source,
         routing_usd = new.routing_usd::numeric, cost_disputed = new.cost_disputed, price_model = new.price_model,
         price_version = new.price_version, price_factors = new.price_factors
    FROM jsonb_to_recordset($1) AS new(key text[], list_usd text, cost_usd text, saved_usd text, tool_usd text,
         baseline_usd text, baseline_source text, routing_usd text, cost_disputed boolean, price_model text, price_version text, price_factors text)
   WHERE usage.trace_id = new.key[1] AND usage.span_id = new.key[2] AND usage.started_at = new.key[3]::timestamptz`;

const adjust = `
  INSERT INTO usage_adjustments (trace_id, span_id, started_at, booked_at, reason, price_version, ${money.join(', ')})
  SELECT key[1], key[2], key[3]::timestamptz, now(), 'reprice', price_version,
         ${money.map((name) => `nullif(coalesce(${name}, 0) - coalesce(was_${name}, 0), 0)`).join(', ')}
    FROM jsonb_to_recordset($1) AS new(key text[], price_version text,
         ${money.map((name) => `${name} numeric, was_${name} numeric`).join(', ')})`;

/**
 * Prices the calls of a range of time anew, by today's table and config at the dates of the calls: what was
 * unpriced gets a price when one is known now. `dryRun` counts and changes nothing.
 */
export async function reprice(
  pool: Pool,
  range: { from: string; to: string },
  options: PriceSource & { dryRun: boolean },
): Promise<Repriced> {
  const total: Repriced = { looked: 0, changed: 0, adjusted: 0, unpricedBefore: 0, unpricedAfter: 0 };
  let last = ['-infinity', '', ''];
  for (;;) {
    const rows = await withConnection(pool, (client) =>
      whileOpen(client, async (closed) => {
        const found = await client.query<Row>(select, [range.from, range.to, ...last, closed]);
        await repriceRows(client, found.rows, options, total);
        return found.rows;
      }),
    );
    const end = rows.at(-1);
    if (!end || rows.length < batch) return total;
    const [traceId, spanId, startedAt] = end.key;
    last = [startedAt, traceId, spanId];
  }
}

async function repriceRows(
  client: PoolClient,
  rows: Row[],
  options: PriceSource & { dryRun: boolean },
  total: Repriced,
): Promise<void> {
  const priced = rows.map((row) => ({ row, price: closedPrice(row, priceRow(row, options)) }));
  const changes = priced.filter(
    ({ row, price }) => !row.closed && money.some((name) => row[name] !== price[name]),
  );
  // To a sum nothing and null are the same.
  const adjustments = priced.filter(
    ({ row, price }) => row.closed && money.some((name) => (row[name] ?? '0') !== (price[name] ?? '0')),
  );
  total.looked += rows.length;
  total.changed += changes.length;
  total.adjusted += adjustments.length;
  total.unpricedBefore += priced.filter(({ row }) => row.cost_usd === null).length;
  total.unpricedAfter += priced.filter(({ price }) => price.cost_usd === null).length;
  if (options.dryRun) return;
  const values = changes.map(({ row, price }) => ({ key: row.key, ...price }));
  if (values.length > 0) await client.query(update, [JSON.stringify(values)]);
  const booked = adjustments.map(({ row, price }) => ({ key: row.key, ...price, ...before(row) }));
  if (booked.length > 0) await client.query(adjust, [JSON.stringify(booked)]);
}

/** What a closed call is compared with stays unknown: what it cost stands in the sums without it. */
function closedPrice(row: Row, price: ReturnType<typeof priceRow>): ReturnType<typeof priceRow> {
  const unknown = comparisons.filter((name) => row.closed && row[name] === null);
  return { ...price, ...Object.fromEntries(unknown.map((name) => [name, null])) };
}

function before(row: Row): Record<string, string | null> {
  return Object.fromEntries(money.map((name) => [`was_${name}`, row[name]]));
}
