import type { PoolClient } from 'pg';
import { whileOpen } from './closed-periods.ts';

/** Identity of a row; the time in PostgreSQL's own text. */
export type Key = [traceId: string, spanId: string, startedAt: string];

const money = ['list_usd', 'cost_usd', 'tool_usd', 'saved_usd', 'baseline_usd', 'routing_usd'] as const;
const counts = ['input_tokens', 'output_tokens', 'cache_read_tokens'] as const;
const sums = [...counts, ...money];

const keyed = `jsonb_to_recordset($1) AS given(key text[])`;
const same = (row: string) =>
  `${row}.trace_id = key[1] AND ${row}.span_id = key[2] AND ${row}.started_at = key[3]::timestamptz`;

const snapshot = `
  SELECT key, ${sums.map((name) => `usage.${name}::text`).join(', ')}
    FROM ${keyed} JOIN usage ON ${same('usage')} WHERE usage.started_at < $2 FOR UPDATE OF usage`;

// Taken out at the time of the call, and counted now.
const move = `
  INSERT INTO usage_adjustments (trace_id, span_id, started_at, booked_at, reason, price_version, ${sums.join(', ')})
  SELECT u.trace_id, u.span_id, u.started_at, coalesce(booking.at, u.started_at), 'late', u.price_version,
         ${counts.map((name) => `booking.sign * ${name}`).join(', ')},
         ${money.map((name) => `booking.sign * nullif(${name}, 0)`).join(', ')}
    FROM (SELECT usage.trace_id, usage.span_id, usage.started_at, usage.price_version,
                 ${sums.map((name) => `coalesce(usage.${name}, 0) - coalesce(before.${name}, 0) AS ${name}`).join(', ')}
            FROM ${keyed} JOIN usage ON ${same('usage')}
            LEFT JOIN jsonb_to_recordset($3) AS before(key text[], ${[...counts.map((name) => `${name} bigint`), ...money.map((name) => `${name} numeric`)].join(', ')}) USING (key)
           WHERE usage.started_at < $2) u,
         (VALUES (NULL::timestamptz, -1), (now(), 1)) AS booking(at, sign)
   WHERE ${sums.map((name) => `u.${name} <> 0`).join(' OR ')}`;

/**
 * Makes a change to rows of usage, or new ones. Where a call lies in a closed period, what the change adds to
 * the sums is booked now.
 */
export async function bookChange<T>(
  client: PoolClient,
  keys: readonly Key[],
  change: () => Promise<T>,
): Promise<T> {
  return whileOpen(client, async (closed) => {
    if (closed === null) return change();
    const given = JSON.stringify(keys.map((key) => ({ key })));
    const before = await client.query(snapshot, [given, closed]);
    const result = await change();
    await client.query(move, [given, closed, JSON.stringify(before.rows)]);
    return result;
  });
}
