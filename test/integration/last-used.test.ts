import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { eventually, startCollector } from '../fixtures/collector.ts';
import { makeOrganization } from '../fixtures/organization.ts';
import { traceRequest, usageRecord } from '../fixtures/usage-records.ts';

const minute = 60_000;
const start = Date.UTC(2026, 8, 1);

test('the collector writes down when a key was last used: to the minute, and never back in time', async (t) => {
  const { pool, export: send, rows } = await startCollector(t, { now: () => start + 60 * minute });
  await makeOrganization(pool, 'acme');
  const [{ id }] = (await rows(`SELECT id FROM api_keys WHERE scope = 'call'`)) as [{ id: string }];
  await pool.query(`
    CREATE TABLE writes (n integer);
    CREATE FUNCTION count_write() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN INSERT INTO writes VALUES (1); RETURN NULL; END $$;
    CREATE TRIGGER count_write AFTER UPDATE OF last_used_at ON api_keys
      FOR EACH ROW EXECUTE FUNCTION count_write();`);
  const use = (...minutes: number[]) =>
    send(
      'traces',
      traceRequest(minutes.map((at) => usageRecord({ apiKey: id, startedAt: start + at * minute }))),
    );
  const lastUse = async () => {
    const [row] = await rows(
      `SELECT last_used_at, (SELECT count(*) FROM writes) AS writes FROM api_keys WHERE id = '${id}'`,
    );
    const { last_used_at, writes } = row as { last_used_at: Date | null; writes: number };
    return [last_used_at && (last_used_at.getTime() - start) / minute, writes];
  };
  const becomes = (at: number, writes: number) =>
    eventually(async () => isDeepStrictEqual(await lastUse(), [at, writes]) || undefined);

  assert.deepEqual(await lastUse(), [null, 0]);
  await use(3, 5, 4);
  await becomes(5, 1);
  // Within the minute, and before it: nothing is written.
  await use(5.5);
  await use(2);
  await send('traces', traceRequest([usageRecord({ apiKey: null }), usageRecord({ apiKey: 'key_\0' })]));
  await use(7);
  await becomes(7, 2);
  // A clock that runs ahead.
  await use(10_000);
  await becomes(60, 3);
});
