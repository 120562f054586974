import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { bookingsOf } from '../../src/analytics/bookings.ts';
import { closePeriod } from '../../src/collector/closed-periods.ts';
import { createPricer } from '../../src/usage/pricer.ts';
import { createOverrides } from '../../src/usage/prices/overrides.ts';
import { noUsage, type UsageRecord } from '../../src/usage/record.ts';
import { startCollector } from '../fixtures/collector.ts';
import { traceRequest, usageRecord } from '../fixtures/usage-records.ts';

const asked = (facts: Partial<UsageRecord> = {}) =>
  usageRecord({
    dialect: 'openai-responses',
    responseId: 'resp_1',
    usage: noUsage,
    usageSource: null,
    listUsd: null,
    costUsd: null,
    finishReason: null,
    ...facts,
  });
const read = (facts: Partial<UsageRecord> = {}) =>
  usageRecord({
    dialect: 'openai-responses-retrieve',
    responseId: 'resp_1',
    operation: 'retrieve',
    model: 'gpt-5.6-sol',
    usage: { ...noUsage, input: 10, output: 900, reasoning: 800 },
    listUsd: '0.02',
    costUsd: '0.02',
    tools: { web_searches: 2 },
    toolUsd: '0.02',
    ...facts,
  });
const query = `SELECT operation, model, input_tokens::int AS input, output_tokens::int AS output, trim_scale(cost_usd)::text AS cost,
    tool_usd::text AS tool, tools, usage_source AS source FROM usage WHERE organization = 'default' ORDER BY operation`;
const settled = [
  {
    operation: 'chat',
    model: 'gpt-5.6-sol',
    input: 10,
    output: 900,
    cost: '0.01804',
    tool: '0.02',
    tools: { web_searches: 2 },
    source: 'provider',
  },
  {
    operation: 'retrieve',
    model: 'gpt-5.6-sol',
    input: null,
    output: null,
    cost: '0',
    tool: null,
    tools: {},
    source: null,
  },
];

test('a later read gives the call that asked its numbers, once, and has none itself', async (t) => {
  const { export: send, rows } = await startCollector(t);
  await send('traces', traceRequest([asked()]));
  await send('traces', traceRequest([read()]));
  assert.deepEqual(await rows(query), settled);
  // Read again, with other numbers: the first ones stand.
  await send('traces', traceRequest([read({ usage: { ...noUsage, input: 1, output: 1 }, costUsd: '9' })]));
  const [first] = await rows<{ cost: string }>(query);
  assert.equal(first?.cost, '0.01804');
});

test('and also when it arrives first', async (t) => {
  const { export: send, rows } = await startCollector(t);
  await send('traces', traceRequest([read()]));
  await send('traces', traceRequest([asked()]));
  assert.deepEqual(await rows(query), settled);
});

test('what another organization reads settles nothing here', async (t) => {
  const { export: send, rows } = await startCollector(t);
  await send('traces', traceRequest([asked()]));
  await send('traces', traceRequest([read({ organization: 'other' })]));
  const [first] = await rows<{ source: string | null }>(query);
  assert.equal(first?.source, null);
});

test('a stream that was left is settled too, whatever had been counted of it', async (t) => {
  const { export: send, rows } = await startCollector(t);
  const counted = { usage: { ...noUsage, input: 9, output: 1 }, usageSource: 'counted' as const };
  await send(
    'traces',
    traceRequest([asked({ ...counted, outcome: 'disconnected', costUpperUsd: '7' }), read()]),
  );
  assert.deepEqual(await rows(query), settled);
  assert.deepEqual(await rows(`SELECT outcome, cost_upper_usd FROM usage WHERE operation = 'chat'`), [
    { outcome: 'disconnected', cost_upper_usd: null },
  ]);
});

const october = { startedAt: Date.UTC(2026, 9, 31, 23), endedAt: Date.UTC(2026, 9, 31, 23) + 1 };
const november = { startedAt: Date.UTC(2026, 10, 1), endedAt: Date.UTC(2026, 10, 1) + 1 };

test('it costs what it did when the call was made', async (t) => {
  const agreement = { name: 'dearer', percent: 100, from: '2026-11-01' };
  const pricer = createPricer(createOverrides({}, [agreement], (key) => key));
  const { export: send, rows } = await startCollector(t, { pricer });
  await send('traces', traceRequest([asked(october), read(november)]));
  const [first] = await rows<{ cost: string }>(query);
  assert.equal(first?.cost, '0.01804');
});

test('in a closed period it is counted when it comes', async (t) => {
  const { export: send, rows, pool } = await startCollector(t);
  await send('traces', traceRequest([asked(october)]));
  await closePeriod(pool, '2026-11-01', Date.now());
  await send('traces', traceRequest([read({ startedAt: Date.now(), endedAt: Date.now() + 1 })]));
  const [first] = await rows<{ cost: string }>(query);
  assert.equal(first?.cost, '0.01804');
  const sums = `SELECT trim_scale(coalesce(sum(cost_usd) FILTER (WHERE started_at < '2026-11-01'), 0))::text AS closed,
    trim_scale(sum(cost_usd) FILTER (WHERE started_at >= '2026-11-01'))::text AS since FROM ${await bookingsOf(pool)}`;
  assert.deepEqual(await rows(sums), [{ closed: '0', since: '0.01804' }]);
});

test('a poisoned read costs itself only', async (t) => {
  const { export: send, rows } = await startCollector(t);
  const poison = [
    read({ responseId: 'resp_\0' }),
    read({ responseId: 'resp_huge', usage: { ...noUsage, input: Number.MAX_SAFE_INTEGER, output: 1e15 } }),
    read({ responseId: 'resp_odd', usage: { ...noUsage, input: 0.5 }, reportedUsd: 'much', model: 'a\0b' }),
    read({ responseId: randomBytes(50_000).toString('hex') }),
  ];
  const calls = poison.map(({ responseId }) => asked({ responseId }));
  await send('traces', traceRequest([...poison, ...calls, read(), asked()]));
  const found = await rows<{ source: string }>(
    `${query.split('ORDER')[0]} AND response_id = 'resp_1' ORDER BY operation`,
  );
  assert.deepEqual(found, settled);
  assert((await rows('SELECT 1 FROM dead_letters')).length >= 2);
});
