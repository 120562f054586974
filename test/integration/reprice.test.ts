import assert from 'node:assert/strict';
import { test } from 'node:test';
import { breakdown } from '../../src/analytics/breakdown.ts';
import { routingReport } from '../../src/analytics/routing.ts';
import { closePeriod } from '../../src/collector/closed-periods.ts';
import { reprice } from '../../src/collector/reprice.ts';
import { comparison } from '../../src/exchange/baseline.ts';
import { priceFields } from '../../src/exchange/pricing.ts';
import { createPricer } from '../../src/usage/pricer.ts';
import { createOverrides } from '../../src/usage/prices/overrides.ts';
import { noUsage, type UsageRecord } from '../../src/usage/record.ts';
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
  const options = {
    pricer: createPricer(overrides),
    providers: { openai: { base_url: 'https://api.openai.com/v1' } },
  };
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

test('what a routed call is compared with is priced anew as well, in closed periods by an adjustment', async (t) => {
  const { export: send, rows, pool } = await startCollector(t);
  const old = { 'house-llm': { price: { input_mtok: '1', output_mtok: '1' } } };
  const source = (models: Parameters<typeof createOverrides>[0]) => ({
    pricer: createPricer(createOverrides(models, [], (credential) => credential)),
    providers: { openai: { base_url: 'https://api.openai.com/v1' } },
  });
  const routed = (user: string, facts: Partial<UsageRecord>): UsageRecord => {
    const record = usageRecord({
      ...{ user, startedAt: day, endedAt: day + 1, usage, usageSource: 'provider', routingMode: 'on' },
      ...{ routingModel: 'gpt-4o', routingProvider: 'openai', model: 'gpt-4o' },
      ...{ baselineModel: 'house-llm', baselineProvider: 'openai', ...facts },
    });
    const openai = { provider: { base_url: 'https://api.openai.com/v1' } };
    return {
      ...record,
      ...priceFields(record, openai, source(old).pricer),
      ...comparison(record, source(old)),
    };
  };
  await send(
    'traces',
    traceRequest([
      routed('told', {}),
      routed('counted', { baselineInput: 500_000, baselineOutput: 0 }),
      routed('before', { baselineProvider: null }),
      routed('shadow', {
        ...{ routingMode: 'shadow', routingModel: 'house-llm', baselineModel: null, baselineProvider: null },
      }),
      routed('own', { routingMode: null, routingModel: null, baselineModel: null, purpose: 'replay' }),
    ]),
  );
  const read = () =>
    rows(
      `SELECT end_user, trim_scale(baseline_usd)::text AS baseline, baseline_source AS source,
              trim_scale(routing_usd)::text AS routing FROM usage ORDER BY end_user`,
    );
  const [before] = [{ end_user: 'before', baseline: null, source: null, routing: null }];
  const own = { end_user: 'own', baseline: '0', source: null, routing: null };
  const told = (counted: string, all: string) => [
    before,
    { end_user: 'counted', baseline: counted, source: 'counted', routing: null },
    own,
    { end_user: 'shadow', baseline: null, source: null, routing: all },
    { end_user: 'told', baseline: all, source: 'estimated', routing: null },
  ];
  assert.deepEqual(await read(), told('0.5', '1.00001'));
  const dearer = source({ 'house-llm': { price: { input_mtok: '2', output_mtok: '10' } } });
  const result = await reprice(pool, range, { ...dearer, dryRun: false });
  assert.deepEqual([result.looked, result.changed, result.adjusted], [5, 3, 0]);
  assert.deepEqual(await read(), told('1', '2.0001'));

  const all = { organization: 'default', range: { start: new Date(0), end: new Date() } };
  const report = await routingReport(pool, all);
  assert.deepEqual([report.routed.baseline_usd, report.shadow.routed_usd], ['3.0001', '2.0001']);
  await closePeriod(pool, '2026-10-12T00:00:00Z', Date.now());
  const closed = await reprice(pool, range, { ...source(old), dryRun: false });
  assert.deepEqual([closed.changed, closed.adjusted], [0, 3]);
  assert.deepEqual(await read(), told('1', '2.0001'));
  const october = { start: new Date(day - 1), end: new Date(day + 1) };
  assert.deepEqual(await routingReport(pool, { ...all, range: october }), report);
  const later = await routingReport(pool, {
    ...all,
    range: { ...all.range, end: new Date(Date.now() + 1_000) },
  });
  const { cost_usd, calls } = report.routed;
  assert.deepEqual(later.routed, { calls, cost_usd, baseline_usd: '1.50001', saved_usd: '-3.50019' });
  assert.deepEqual(later.shadow, { ...report.shadow, routed_usd: '1.00001' });
  const again = await reprice(pool, range, { ...source(old), dryRun: false });
  assert.equal(again.adjusted, 0);
});

test('a million tiny calls cost a million times one, to the last place', async (t) => {
  const { pool } = await startCollector(t);
  await pool.query('DROP INDEX usage_sums, usage_long_tags, usage_id, usage_pending, usage_unsettled');
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
