import assert from 'node:assert/strict';
import { test } from 'node:test';
import { breakdown } from '../../src/analytics/breakdown.ts';
import { reprice } from '../../src/collector/reprice.ts';
import { createPricer } from '../../src/usage/pricer.ts';
import { createOverrides } from '../../src/usage/prices/overrides.ts';
import { noUsage } from '../../src/usage/record.ts';
import { startCollector } from '../fixtures/collector.ts';
import { traceRequest, usageRecord } from '../fixtures/usage-records.ts';

const day = Date.UTC(2026, 9, 10, 12);
const range = { from: '2026-10-10', to: '2026-10-11' };
const unpriced = { model: 'house-llm', requestedModel: 'house-llm', listUsd: null, costUsd: null };
const usage = { ...noUsage, input: 1_000_000, output: 10 };
const overrides = createOverrides(
  { 'house-llm': { price: { input_mtok: '2', output_mtok: '10' } } },
  [],
  (credential) => credential,
);

test('what had no price gets one, at its own date, and nothing else is touched', async (t) => {
  const { export: send, rows, pool } = await startCollector(t);
  const at = (startedAt: number) => ({ startedAt, endedAt: startedAt + 1 });
  const records = [
    usageRecord({ ...unpriced, ...at(day), usage, user: 'asked' }),
    usageRecord({ ...unpriced, ...at(day), usage, user: 'hit', cache: 'hit', costUsd: '0' }),
    usageRecord({ ...unpriced, ...at(day), usage, user: 'paid', terms: { billing: 'subscription' } }),
    usageRecord({ ...unpriced, ...at(day), user: 'unknown', model: 'nobody', requestedModel: 'nobody' }),
    usageRecord({ ...unpriced, ...at(day + 86_400_000), usage, user: 'later' }),
    usageRecord({ ...at(day), user: 'listed' }),
  ];
  await send('traces', traceRequest(records));
  const options = { pricer: createPricer(overrides), baseUrl: () => 'https://api.openai.com/v1' };
  const expected = { looked: 5, changed: 3, adjusted: 0, unpricedBefore: 3, unpricedAfter: 1 };
  const read = () =>
    rows(
      `SELECT end_user, trim_scale(cost_usd)::text AS cost, trim_scale(list_usd)::text AS list,
              trim_scale(saved_usd)::text AS saved, price_model FROM usage ORDER BY end_user`,
    );
  const before = await read();
  assert.deepEqual(await reprice(pool, range, { ...options, dryRun: true }), expected);
  assert.deepEqual(await read(), before);
  assert.deepEqual(await reprice(pool, range, { ...options, dryRun: false }), expected);
  const model = 'config:house-llm';
  assert.deepEqual(await read(), [
    { end_user: 'asked', cost: '2.0001', list: '2.0001', saved: null, price_model: model },
    { end_user: 'hit', cost: '0', list: null, saved: '2.0001', price_model: model },
    { end_user: 'later', cost: null, list: null, saved: null, price_model: 'openai:gpt-4o' },
    { end_user: 'listed', cost: '0.0045', list: '0.0045', saved: null, price_model: 'openai:gpt-4o' },
    { end_user: 'paid', cost: '0', list: '2.0001', saved: null, price_model: model },
    { end_user: 'unknown', cost: null, list: null, saved: null, price_model: 'openai:gpt-4o' },
  ]);
  const again = await reprice(pool, range, { ...options, dryRun: false });
  assert.equal(again.changed, 0);
});

test('a million tiny calls cost a million times one, to the last place', async (t) => {
  const { pool } = await startCollector(t);
  await pool.query('DROP INDEX usage_organization_time, usage_id, usage_pending, usage_unsettled');
  await pool.query(
    `INSERT INTO usage (trace_id, span_id, started_at, duration_ms, id, organization, provider, server_address,
                        operation, method, path, stream, model, outcome, attempts, cache, usage_source, cost_usd)
     SELECT '', n::text, '2026-10-10', 1, gen_random_uuid(), 'default', 'openai', '', 'chat', 'POST', '', false,
            'm', 'completed', 1, 'miss', 'provider', 0.0000000375001
       FROM generate_series(1, 1000000) AS n`,
  );
  const [row] = await breakdown(pool, {
    organization: 'default',
    range: { start: new Date(day - 86_400_000), end: new Date(day) },
    filter: {},
    groupBy: ['model'],
    interval: null,
    zone: 'UTC',
    order: 'cost',
    limit: 1,
    percentiles: false,
  });
  assert.deepEqual([row?.calls, row?.cost_usd], [1_000_000, '0.0375001']);
});
