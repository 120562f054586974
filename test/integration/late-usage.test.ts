import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { createSettler } from '../../src/collector/settle.ts';
import { noUsage, type UsageRecord } from '../../src/usage/record.ts';
import { startCollector } from '../fixtures/collector.ts';
import { traceRequest, usageRecord } from '../fixtures/usage-records.ts';

const asked = (facts: Partial<UsageRecord> = {}) =>
  usageRecord({
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
const query = `SELECT operation, model, input_tokens::int AS input, output_tokens::int AS output, cost_usd::text AS cost,
    tool_usd::text AS tool, tools, usage_source AS source FROM usage WHERE organization = 'default' ORDER BY operation`;
const settled = [
  {
    operation: 'chat',
    model: 'gpt-5.6-sol',
    input: 10,
    output: 900,
    cost: '0.02',
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
  assert.equal(first?.cost, '0.02');
});

test('and also when it arrives first', async (t) => {
  const { export: send, rows, pool } = await startCollector(t);
  await send('traces', traceRequest([read()]));
  await send('traces', traceRequest([asked()]));
  await createSettler({ pool, log: pino({ level: 'silent' }), now: Date.now }).sweep();
  assert.deepEqual(await rows(query), settled);
});

test('what another organization reads settles nothing here', async (t) => {
  const { export: send, rows } = await startCollector(t);
  await send('traces', traceRequest([asked()]));
  await send('traces', traceRequest([read({ organization: 'other' })]));
  const [first] = await rows<{ source: string | null }>(query);
  assert.equal(first?.source, null);
});
