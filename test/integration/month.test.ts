// WEIR_TEST_MONTH_CALLS=1000000 makes it a month of that many calls.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { insertUsage } from '../../src/collector/usage-rows.ts';
import { withConnection } from '../../src/db/pool.ts';
import { createPricer } from '../../src/usage/pricer.ts';
import { amountOf } from '../../src/usage/prices/decimal.ts';
import type { UsageRecord } from '../../src/usage/record.ts';
import { testApi } from '../fixtures/api.ts';
import { month, seededMonth, truths } from '../fixtures/month.ts';
import { makeOrganization } from '../fixtures/organization.ts';
import { testDatabase } from '../fixtures/postgres.ts';

const calls = Number(process.env.WEIR_TEST_MONTH_CALLS ?? 20_000);
const period = 'start_date=2026-10-15&end_date=2026-11-15';

async function house(t: TestContext) {
  const { pool } = await testDatabase(t);
  const { admin: key } = await makeOrganization(pool, 'acme');
  const providers = {
    openai: { api: 'openai', base_url: 'https://api.openai.com/v1', api_key: 'sk-1' },
    anthropic: { api: 'anthropic', base_url: 'https://api.anthropic.com', api_key: 'sk-2' },
    gemini: { api: 'gemini', base_url: 'https://generativelanguage.googleapis.com', api_key: 'sk-3' },
  };
  const pricer = createPricer();
  const api = await testApi(t, pool, { now: month.now, pricer, config: { providers } });
  const policy = await api.ask('PUT', '/policy', { key, body: { cache: { mode: 'off' } } });
  assert.equal(policy.status, 200, policy.text);
  const ledger = { calls: 0, cost: 0n };
  await withConnection(pool, async (client) => {
    let batch: UsageRecord[] = [];
    const write = () => insertUsage(client, batch, month.now);
    for (const record of seededMonth('acme', calls)) {
      ledger.calls++;
      ledger.cost += amountOf(record.costUsd ?? '0');
      if (batch.push(record) < 4_000) continue;
      await write();
      batch = [];
    }
    if (batch.length > 0) await write();
  });
  await pool.query('ANALYZE usage');
  const ask = async (url: string) => {
    const answer = await api.ask('GET', url, { key });
    assert.equal(answer.status, 200, answer.text);
    return answer.body;
  };
  return { api, key, ask, ledger };
}

interface Recommendation {
  id: string;
  type: string;
  potential_savings_usd: string;
  change: { method: 'PATCH'; path: string; body: object } | null;
}

test('a month of calls: each truth is found with its money, nothing else is, and every sum is the ledger’s', async (t) => {
  const { api, key, ask, ledger } = await house(t);
  const started = performance.now();
  const found = await ask(`/analytics/recommendations?${period}`);
  t.diagnostic(`${ledger.calls} calls, recommendations in ${(performance.now() - started).toFixed(0)} ms`);
  const list: Recommendation[] = found.recommendations;
  assert.deepEqual(
    list.map(({ type, potential_savings_usd }) => [type, potential_savings_usd]),
    [
      ['cache', truths.cache],
      ['spend_anomaly', truths.anomaly],
      ['model_downgrade', truths.downgrade],
      ['max_tokens', truths.maxTokens],
    ],
    JSON.stringify(list, null, 1),
  );
  assert.equal(found.total_potential_savings_usd, '227.45');
  assert.deepEqual(list[0]?.change?.body, { cache: { mode: 'all', ttl: '24h' } });

  for (const { change } of list) {
    if (!change) continue;
    const answer = await api.ask(change.method, change.path, { key, body: change.body });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.body.changed, true);
  }
  // What was done is recommended no more.
  const after = await ask(`/analytics/recommendations?${period}`);
  assert.deepEqual(
    after.recommendations.map(({ type }: Recommendation) => type),
    ['max_tokens'],
  );

  const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata'];
  const groups = [
    '',
    'model',
    'provider',
    'hour',
    'user',
    'day',
    'operation',
    'workload',
    'api_key',
    'cache',
  ];
  for (const zone of zones) {
    for (const group of [...groups, 'complexity', 'tag:team', 'day,hour,model']) {
      const url = `/analytics/breakdown?group_by=${group}&timezone=${zone}&start_date=2026-10-13&end_date=2026-11-17&limit=1000&percentiles=false`;
      // With three groups there are more rows than are given at once.
      const rows = (await ask(url)).rows as { calls: number; cost_usd: string | null }[];
      if (rows.length === 1_000) continue;
      const cost = rows.reduce((sum, each) => sum + amountOf(each.cost_usd ?? '0'), 0n);
      assert.deepEqual(
        [rows.reduce((sum, each) => sum + each.calls, 0), cost],
        [ledger.calls, ledger.cost],
        url,
      );
    }
    for (const interval of ['hour', 'day']) {
      const url = `/analytics/breakdown?group_by=&interval=${interval}&timezone=${zone}&start_date=2026-10-13&end_date=2026-11-17&percentiles=false`;
      const rows = (await ask(url)).rows as { calls: number; cost_usd: string | null }[];
      const cost = rows.reduce((sum, each) => sum + amountOf(each.cost_usd ?? '0'), 0n);
      assert.deepEqual(
        [rows.reduce((sum, each) => sum + each.calls, 0), cost],
        [ledger.calls, ledger.cost],
        url,
      );
    }
  }
});
