import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { percentilesSql } from '../../src/analytics/percentiles.ts';
import { testDatabase } from '../fixtures/postgres.ts';

test('percentiles are those of PostgreSQL over whole milliseconds, of each group', async (t) => {
  const { pool } = await testDatabase(t);
  const calls = fc.array(
    fc.record({
      g: fc.constantFrom('a', 'b', null),
      ms: fc.option(fc.oneof(fc.integer({ min: 0, max: 20 }), fc.double({ min: 0, max: 1e5, noNaN: true }))),
      adjusts: fc.boolean(),
    }),
    { maxLength: 40 },
  );
  const from = `(SELECT * FROM jsonb_to_recordset($1) AS calls(g text, ms double precision, adjusts boolean)) AS bookings`;
  const sql = percentilesSql(
    { from, where: 'true', column: 'ms', keys: [['g', 'g0']] },
    { p50: 0.5, p95: 0.95 },
  );
  const all = percentilesSql({ from, where: 'true', column: 'ms', keys: [] }, { p99: 0.99 });
  const percentile = (share: number) => `percentile_cont(${share}) WITHIN GROUP (ORDER BY round(ms))`;
  const slow = `FROM ${from} WHERE NOT adjusts AND ms IS NOT NULL`;
  await fc.assert(
    fc.asyncProperty(calls, async (made) => {
      const ask = async (text: string) => (await pool.query(text, [JSON.stringify(made)])).rows;
      const near = (rows: Record<string, unknown>[]) =>
        rows.map((row) =>
          Object.values(row).map((value) =>
            typeof value === 'number' ? Math.round(value * 1e6) / 1e6 : value,
          ),
        );
      assert.deepEqual(
        near(await ask(`${sql} ORDER BY g0`)),
        near(
          await ask(
            `SELECT g, ${percentile(0.5)} AS p50, ${percentile(0.95)} AS p95 ${slow} GROUP BY g ORDER BY g`,
          ),
        ),
      );
      assert.deepEqual(near(await ask(all)), near(await ask(`SELECT ${percentile(0.99)} ${slow}`)));
    }),
    { numRuns: 100 },
  );
});
