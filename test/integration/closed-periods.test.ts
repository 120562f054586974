import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bookingsOf } from '../../src/analytics/bookings.ts';
import { listExchanges } from '../../src/analytics/exchanges.ts';
import { closePeriod } from '../../src/collector/closed-periods.ts';
import { reprice } from '../../src/collector/reprice.ts';
import type { Pool } from '../../src/db/pool.ts';
import { createPricer } from '../../src/usage/pricer.ts';
import { createOverrides } from '../../src/usage/prices/overrides.ts';
import { noUsage } from '../../src/usage/record.ts';
import { startCollector } from '../fixtures/collector.ts';
import { traceRequest, usageRecord } from '../fixtures/usage-records.ts';

const october = Date.UTC(2026, 9, 10, 12);
const november = '2026-11-01T00:00:00Z';
const range = { from: '2026-10-01', to: '2026-11-01' };
const unpriced = { model: 'house-llm', requestedModel: 'house-llm', listUsd: null, costUsd: null };
const usage = { ...noUsage, input: 1_000_000, output: 10 };
const at = { startedAt: october, endedAt: october + 1 };

/** Cost and input tokens, before November and since. */
async function sums(pool: Pool) {
  const { rows } = await pool.query<{ october: string; since: string; tokens: string; late: string }>(
    `SELECT trim_scale(sum(cost_usd) FILTER (WHERE started_at < $1))::text AS october,
            trim_scale(sum(cost_usd) FILTER (WHERE started_at >= $1))::text AS since,
            coalesce(sum(input_tokens) FILTER (WHERE started_at < $1), 0)::text AS tokens,
            coalesce(sum(input_tokens) FILTER (WHERE started_at >= $1), 0)::text AS late
       FROM ${await bookingsOf(pool)}`,
    [november],
  );
  return rows[0];
}

const priced = (inputPrice: string) => ({
  pricer: createPricer(
    createOverrides(
      { 'house-llm': { price: { input_mtok: inputPrice, output_mtok: '10' } } },
      [],
      (key) => key,
    ),
  ),
  providers: { openai: { base_url: 'https://api.openai.com/v1' } },
  dryRun: false,
});

test('a closed period takes adjustments where an open one is changed, and its sums stand', async (t) => {
  const { export: send, rows, pool } = await startCollector(t);
  await send('traces', traceRequest([usageRecord({ ...unpriced, ...at, usage }), usageRecord({ ...at })]));
  assert.deepEqual(await closePeriod(pool, november, Date.now()), {
    calls: 2,
    cost_usd: '0.0045',
    unpriced: 1,
  });
  const before = await rows('SELECT * FROM usage ORDER BY span_id');
  assert.deepEqual(await reprice(pool, range, { ...priced('2'), dryRun: true }), {
    looked: 2,
    changed: 0,
    adjusted: 1,
    unpricedBefore: 1,
    unpricedAfter: 0,
  });
  assert.deepEqual(await rows('SELECT 1 FROM usage_adjustments'), []);
  await reprice(pool, range, priced('2'));
  assert.deepEqual(await rows('SELECT * FROM usage ORDER BY span_id'), before);
  assert.deepEqual(await sums(pool), { october: '0.0045', since: '2.0001', tokens: '1001000', late: '0' });
  // Once more it finds nothing; with another price what is missing, also down again.
  assert.equal((await reprice(pool, range, priced('2'))).adjusted, 0);
  await reprice(pool, range, priced('3'));
  assert.equal((await sums(pool))?.since, '3.0001');
  const { exchanges } = await listExchanges(pool, {
    organization: 'default',
    range: { start: new Date(october), end: new Date(november) },
    filter: {},
    cursor: null,
    limit: 10,
  });
  const adjusted = exchanges.map(({ cost_usd, adjustment_usd }) => [cost_usd, adjustment_usd]);
  assert.deepEqual(adjusted.sort(), [
    [null, '3.0001'],
    ['0.0045', null],
  ]);
  await reprice(pool, range, { ...priced('3'), pricer: createPricer() });
  assert.deepEqual(await sums(pool), { october: '0.0045', since: '0', tokens: '1001000', late: '0' });
});

test('a call that comes after its period was closed is counted when it comes', async (t) => {
  const { export: send, pool } = await startCollector(t);
  const interrupted = usageRecord({
    ...at,
    outcome: 'interrupted',
    costUsd: '0.001',
    usage: { ...noUsage, input: 900 },
  });
  await send('traces', traceRequest([interrupted]));
  await closePeriod(pool, november, Date.now());
  const late = usageRecord(at);
  for (const _ of [1, 2]) await send('traces', traceRequest([late]));
  assert.deepEqual(await sums(pool), { october: '0.001', since: '0.0045', tokens: '900', late: '1000' });
  // How the other one went is known now.
  await send('traces', traceRequest([{ ...interrupted, outcome: 'completed', costUsd: '0.003', usage }]));
  assert.deepEqual(await sums(pool), { october: '0.001', since: '0.0065', tokens: '900', late: '1000100' });
  // What is priced right needs no adjustment: the row tells its numbers.
  assert.equal(
    (await reprice(pool, range, { ...priced('2'), pricer: createPricer(), dryRun: true })).adjusted,
    1,
  );
});

test('a period is closed once it is over, and never shorter', async (t) => {
  const { pool } = await startCollector(t);
  const now = Date.parse('2026-11-01T00:59:00Z');
  await assert.rejects(closePeriod(pool, november, now), /may still come/);
  await closePeriod(pool, november, now + 120_000);
  await closePeriod(pool, november, now + 120_000);
  await assert.rejects(closePeriod(pool, '2026-10-01', now), /before 2026-11-01T00:00:00.000Z is closed/);
});
