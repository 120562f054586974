import type { Logger } from 'pino';
import { type Pool, withConnection } from '../db/pool.ts';
import type { PriceSource } from '../exchange/baseline.ts';
import { insertDeadLetters } from './dead-letters.ts';
import type { Refusals } from './group-commit.ts';
import { insertAllButFaulty } from './insert.ts';
import { isLate, isPending, keepLateUsage, settleLateUsage, withoutNumbers } from './late-usage.ts';
import { leaveOneEach } from './told/told-rows.ts';
import { betterRecord, insertUsage, recordKey } from './usage-rows.ts';
import { missing, readable, type UsageSpan } from './usage-span.ts';

/** Commits records; those that can never be rows become dead letters. Throws when PostgreSQL is away. */
export async function writeUsage(
  pool: Pool,
  spans: UsageSpan[],
  options: { receivedAt: number; source: PriceSource; log: Logger },
): Promise<Refusals<UsageSpan>> {
  const { receivedAt, source, log } = options;
  const refusals = new Map<UsageSpan, string>();
  const best = new Map<string, UsageSpan>();
  for (const each of spans) {
    const fault = missing(each.span);
    const key = recordKey(each.record);
    const rival = best.get(key);
    if (fault) refusals.set(each, fault);
    else if (!rival || betterRecord(rival.record, each.record) === each.record) best.set(key, each);
  }
  // Writers side by side lock rows in the same order.
  const ordered = [...best].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
  const late = ordered.filter(({ record }) => isLate(record));
  await withConnection(pool, async (client) => {
    const unkept = await keepLateUsage(client, late);
    const faulty = await insertAllButFaulty(ordered, (part) =>
      insertUsage(
        client,
        part.map(({ record }) => (isLate(record) ? withoutNumbers(record) : record)),
        receivedAt,
      ),
    );
    for (const [each, reason] of [...unkept, ...faulty]) refusals.set(each, reason);
    const letters = [...refusals].map(([{ span }, reason]) => ({ reason, content: readable(span) }));
    await insertDeadLetters(client, letters, receivedAt);
  });
  const pending = ordered.filter(({ record }) => isPending(record));
  const ids = [...late, ...pending].flatMap(({ record }) => record.responseId ?? []);
  await settleLateUsage(pool, ids, { source, log, now: receivedAt });
  await leaveOneEach(
    pool,
    ordered.map(({ record }) => record.responseId),
  );
  return refusals;
}
