import { type Pool, withConnection } from '../../db/pool.ts';
import type { PriceSource } from '../../exchange/baseline.ts';
import { priceFields } from '../../exchange/pricing.ts';
import type { UsageRecord } from '../../usage/record.ts';
import { bookChange } from '../bookings.ts';
import { insertDeadLetters } from '../dead-letters.ts';
import type { Refusals } from '../group-commit.ts';
import { type Column, insertAllButFaulty, insertStatement, insertValues, storable } from '../insert.ts';
import { columns, keyOf } from '../usage-rows.ts';
import { missing, readable, type UsageSpan } from '../usage-span.ts';

const toldColumns: Column<UsageRecord>[] = [...columns, ['origin', 'text', () => 'span']];
const statement = `${insertStatement('usage', toldColumns)} ON CONFLICT DO NOTHING`;

/**
 * Two rows are of one call when they have the provider's id of the answer in common, and the provider: by weir's
 * name, by its host, or by the dialect that weir spoke to it, after which SDKs call all who speak it.
 */
const same = (saw: string, told: string) =>
  `${saw}.response_id = ${told}.response_id AND (${saw}.provider = ${told}.provider
     OR ${saw}.server_address = ${told}.server_address OR split_part(${saw}.dialect, '-', 1) = ${told}.provider)`;

// What weir saw itself stays; of what others told, the innermost with usage: it began last.
const dropTold = `
  WITH told AS MATERIALIZED (SELECT * FROM usage WHERE origin = 'span' AND response_id = ANY ($1))
  DELETE FROM usage USING told
   WHERE (usage.trace_id, usage.span_id, usage.started_at) = (told.trace_id, told.span_id, told.started_at) AND EXISTS (
     SELECT FROM usage other
      WHERE ${same('other', 'told')} AND (other.origin IS NULL
         OR (other.usage_source IS NOT NULL, other.started_at, other.span_id)
            > (told.usage_source IS NOT NULL, told.started_at, told.span_id)))`;

/**
 * Leaves one row of each call. To be called when the rows of these answers are committed: whoever commits last
 * sees the other's.
 */
export async function leaveOneEach(pool: Pool, responseIds: readonly (string | null)[]): Promise<void> {
  const ids = [...new Set(responseIds.flatMap((id) => (id === null ? [] : storable(id))))];
  if (ids.length > 0) await pool.query(dropTold, [ids]);
}

/** Commits calls that others tell of, at the list prices of their time; the faulty become dead letters. */
export async function writeTold(
  pool: Pool,
  spans: UsageSpan[],
  { receivedAt, source }: { receivedAt: number; source: PriceSource },
): Promise<Refusals<UsageSpan>> {
  const refusals = new Map<UsageSpan, string>();
  for (const each of spans) {
    const fault = missing(each.span);
    if (fault) refusals.set(each, fault);
  }
  const sound = spans.filter((each) => !refusals.has(each));
  await withConnection(pool, async (client) => {
    const faulty = await insertAllButFaulty(sound, (part) => {
      const records = part.map(({ record }) => priced(record, source));
      return bookChange(client, records.map(keyOf), () =>
        client.query(statement, insertValues(toldColumns, records, receivedAt)),
      );
    });
    for (const [each, reason] of faulty) refusals.set(each, reason);
    const letters = [...refusals].map(([{ span }, reason]) => ({ reason, content: readable(span) }));
    await insertDeadLetters(client, letters, receivedAt);
  });
  await leaveOneEach(
    pool,
    sound.map(({ record }) => record.responseId),
  );
  return refusals;
}

function priced(record: UsageRecord, { pricer, providers }: PriceSource): UsageRecord {
  const host = record.serverAddress || 'unknown.invalid';
  const base_url =
    providers[record.provider]?.base_url ??
    (URL.canParse(`https://${host}`) ? `https://${host}` : 'https://unknown.invalid');
  return { ...record, ...priceFields(record, { provider: { base_url } }, pricer) };
}
