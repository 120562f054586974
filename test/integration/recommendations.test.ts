import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { insertUsage } from '../../src/collector/usage-rows.ts';
import { withConnection } from '../../src/db/pool.ts';
import { createPricer } from '../../src/usage/pricer.ts';
import { noUsage, type UsageRecord } from '../../src/usage/record.ts';
import { testApi } from '../fixtures/api.ts';
import { makeOrganization } from '../fixtures/organization.ts';
import { testDatabase } from '../fixtures/postgres.ts';
import { usageRecord } from '../fixtures/usage-records.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const now = Date.UTC(2026, 10, 20);
const providers = {
  openai: { api: 'openai', base_url: 'https://api.openai.com/v1', api_key: 'sk-1' },
  anthropic: { api: 'anthropic', base_url: 'https://api.anthropic.com', api_key: 'sk-2' },
};

/** `age`: milliseconds before now. */
type Call = Partial<UsageRecord> & { age: number };
const times = <const T>(count: number, make: (n: number) => T) =>
  Array.from({ length: count }, (_, n) => make(n));

async function house(t: TestContext, calls: Call[], policy: object = {}) {
  const { pool } = await testDatabase(t);
  const { admin: key } = await makeOrganization(pool, 'acme');
  const api = await testApi(t, pool, { now, pricer: createPricer(), config: { providers } });
  const put = await api.ask('PUT', '/policy', { key, body: policy });
  assert.equal(put.status, 200, put.text);
  // It was in force all the time.
  await pool.query(`UPDATE policies SET created_at = '2026-01-01'`);
  const records = calls.map(({ age, ...facts }) => {
    const startedAt = now - age;
    const plain = { complexity: 'complex', startedAt, endedAt: startedAt + 1_000, cacheKey: null, ...facts };
    return usageRecord({ organization: 'acme', listUsd: facts.costUsd ?? null, ...plain });
  });
  await withConnection(pool, (client) => insertUsage(client, records, now));
  async function recommend() {
    const { body, status, text } = await api.ask('GET', '/analytics/recommendations', { key });
    assert.equal(status, 200, text);
    return { list: body.recommendations, total: body.total_potential_savings_usd };
  }
  return {
    recommend,
    /** Does what the only recommendation says, and looks again. */
    async apply() {
      const { list } = await recommend();
      assert.equal(list.length, 1, JSON.stringify(list, null, 1));
      const [{ change }] = list;
      const answer = await api.ask(change.method, change.path, { key, body: change.body });
      assert.equal(answer.status, 200, answer.text);
      assert.deepEqual((await recommend()).list, []);
      return { found: list[0], resolved: answer.body.resolved };
    },
  };
}

/** What one recommendation says, without what differs from run to run. */
async function only(t: TestContext, calls: Call[], policy?: object) {
  const { list, total } = await (await house(t, calls, policy)).recommend();
  assert.equal(list.length, 1, JSON.stringify(list, null, 1));
  assert.equal(total, list[0].potential_savings_usd);
  return list[0];
}

test('answers that the cache forgot too soon: as long as would have caught them', async (t) => {
  // Every two hours, while answers are kept for one.
  const calls = times(200, (n) => ({
    age: 20 * day - 2 * n * hour,
    cacheKey: 'k',
    cache: 'miss',
    costUsd: '0.2',
  }));
  const { apply } = await house(t, calls, { cache: { mode: 'all', ttl: '1h' } });
  const { found, resolved } = await apply();
  assert.equal(found.evidence.why, 'expired');
  // In three days, which is nearly as good as longer, 37 calls come: 6 of the 200 are asked.
  assert.equal(found.potential_savings_usd, '38.8');
  assert.equal(resolved.cache.ttl, '3d');
  assert.equal(found.evidence.saved_with_ttl_6h, '30');
  assert.equal(found.groups[0].calls, 194);
});

test('calls that passed the cache by are told of, and no policy can help', async (t) => {
  const calls = times(300, (n) => ({
    age: hour + n * minute,
    cacheKey: 'k',
    cache: 'bypass',
    costUsd: '0.1',
  }));
  const found = await only(t, calls);
  assert.deepEqual([found.type, found.evidence.why, found.change], ['cache', 'bypass', null]);
  // All but those that would have left their answer anew: one.
  assert.equal(found.potential_savings_usd, '29.9');
});

test('a hit that a longer time would have made a miss counts against it', async (t) => {
  const key = { cacheKey: 'k', costUsd: '100' };
  const at = (hours: number, facts: Partial<UsageRecord>) => ({
    age: 20 * day - hours * hour,
    ...key,
    ...facts,
  });
  const calls = [
    at(0, { cache: 'miss' }),
    at(2, { cache: 'miss' }),
    at(2.9, { cache: 'hit', costUsd: '0', savedUsd: '100' }),
    at(5, { cache: 'miss' }),
    at(7, { cache: 'miss' }),
    at(7.5, { cache: 'hit', costUsd: '0', savedUsd: '100' }),
  ] satisfies Call[];
  const found = await only(t, calls, { cache: { mode: 'all', ttl: '1h' } });
  // With 6h: the call of 2 h and that of 5 h; that of 7 h is asked, and serves that of 7.5 h.
  assert.equal(found.evidence.saved_with_ttl_6h, '200');
});

test('simple calls on a dear model, by what shadow wrote down where it did, with what was judged', async (t) => {
  const simple = { complexity: 'simple', requestedModel: 'gpt-4', model: 'gpt-4-0613' };
  const usage = { ...noUsage, input: 1_000, output: 100 };
  const calls = [
    ...times(1_000, (n) => ({ ...simple, age: hour + n * minute, costUsd: '0.036', usage })),
    ...times(10, (n) => ({
      ...simple,
      age: day + n * minute,
      costUsd: '1',
      routingMode: 'shadow' as const,
      routingModel: 'gpt-3.5-turbo',
      routingUsd: '0.1',
    })),
    // Kept for good reasons.
    ...times(100, (n) => ({
      ...simple,
      age: hour + n * minute,
      costUsd: '1',
      finishReason: 'tool_calls',
      complexity: 'complex',
    })),
  ];
  const { apply } = await house(t, calls);
  const { found, resolved } = await apply();
  // 1,000 × (0.036 − 0.00065) + 10 × 0.9.
  assert.equal(found.potential_savings_usd, '44.35');
  assert.equal(resolved.routing.mode, 'on');
  assert.deepEqual([found.type, found.evidence.judged_answers, found.calls], ['model_downgrade', 0, 1_010]);
});

test('answers that ran on to a limit far beyond any whole one: a limit that leaves room', async (t) => {
  const model = { requestedModel: 'gpt-4o', model: 'gpt-4o', maxOutputTokens: 16_000, workload: 'prod/a/b' };
  const answer = (output: number) => ({ ...noUsage, input: 10, output });
  const calls = [
    ...times(200, (n) => ({ ...model, age: hour + n * minute, usage: answer(n + 1), costUsd: '0.001' })),
    ...times(50, (n) => ({
      ...model,
      age: 2 * day + n * minute,
      usage: answer(16_000),
      costUsd: '0.160025',
      finishReason: 'length',
    })),
  ];
  const { apply } = await house(t, calls, { limits: [{ name: 'mine', requests: 5, window: '1m' }] });
  const { found, resolved } = await apply();
  // 15,600 tokens at 10 a million, 50 times.
  assert.equal(found.potential_savings_usd, '7.8');
  assert.deepEqual(
    resolved.limits.map(({ max_output_tokens }: { max_output_tokens?: number }) => max_output_tokens),
    [undefined, 400],
  );
});

test('prompts that begin alike within minutes, at the full price', async (t) => {
  const usage = { ...noUsage, input: 20_480, output: 10 };
  const prefixHashes = Array.from({ length: 10 }, (_, n) => `hash-${n}`);
  const anthropic = {
    provider: 'anthropic',
    serverAddress: 'api.anthropic.com',
    path: '/v1/messages',
    requestedModel: 'claude-sonnet-4-5',
    model: 'claude-sonnet-4-5',
  };
  const calls = times(501, (n) => ({
    ...anthropic,
    age: 3 * day - n * minute,
    usage,
    prefixHashes,
    costUsd: '0.06',
  }));
  const found = await only(t, calls);
  // 500 reads of 10,240 tokens that cost a tenth of 3 a million, one write at a quarter more.
  assert.equal(found.type, 'prompt_cache');
  assert.equal(found.potential_savings_usd, '13.81632');
  assert.equal(found.groups[0].repeated_tokens, 5_120_000);
});

test('requests that were given up and sent again, each paid for', async (t) => {
  const calls = times(12, (request) =>
    times(6, (n) => ({
      age: day + request * hour - n * minute,
      cacheKey: `key-${request}`,
      costUsd: '0.1',
      outcome: n < 5 ? ('disconnected' as const) : ('completed' as const),
    })),
  ).flat();
  const found = await only(t, calls);
  assert.deepEqual([found.type, found.potential_savings_usd, found.groups[0].requests], ['retries', '6', 12]);
});

test('calls at night that nobody waits for, at the price of a batch', async (t) => {
  const usage = { ...noUsage, input: 10_000, output: 1_000 };
  const gpt = {
    requestedModel: 'gpt-4o',
    model: 'gpt-4o',
    usage,
    costUsd: '0.035',
    stream: false,
    user: null,
  };
  const calls = times(2_000, (n) => ({ ...gpt, age: (1 + (n % 20)) * day - 2 * hour - n * 1_000 }));
  const found = await only(t, calls);
  assert.deepEqual([found.type, found.potential_savings_usd], ['batch', '35']);
  const byDay = calls.map((call) => ({ ...call, age: call.age + 10 * hour }));
  assert.deepEqual((await (await house(t, byDay)).recommend()).list, []);
});

test('thinking about simple calls, against what little effort takes', async (t) => {
  const usage = (reasoning: number) => ({ ...noUsage, input: 100, output: reasoning + 10, reasoning });
  const model = { complexity: 'simple', requestedModel: 'gpt-5', model: 'gpt-5', costUsd: '0.05' };
  const calls = [
    ...times(40, (n) => ({ ...model, age: day + n * minute, reasoningEffort: 'low', usage: usage(100) })),
    ...times(300, (n) => ({
      ...model,
      age: 2 * day + n * minute,
      reasoningEffort: 'high',
      usage: usage(3_100),
    })),
  ];
  const found = await only(t, calls, { models: ['gpt-5'] });
  // 3,000 tokens at 10 a million, 300 times.
  assert.deepEqual([found.type, found.potential_savings_usd], ['reasoning_effort', '9']);
});

test('a workload that spent far more than ever, and a call that two findings are about counts once', async (t) => {
  const simple = { complexity: 'simple', requestedModel: 'gpt-4', model: 'gpt-4', workload: 'prod/a/b' };
  const usage = { ...noUsage, input: 1_000, output: 100 };
  const calls = [
    ...times(100, (n) => ({
      age: 2 * day + (n % 10) * day + n * minute,
      ...simple,
      usage,
      costUsd: '0.036',
    })),
    ...times(2_000, (n) => ({ age: day + (n / 2_000) * hour, ...simple, usage, costUsd: '0.036' })),
  ];
  const { recommend } = await house(t, calls);
  const { list, total } = await recommend();
  assert.deepEqual(
    list.map(({ type }: { type: string }) => type),
    ['model_downgrade', 'spend_anomaly'],
  );
  // Of each call the one or the other; the budget lets a part of the day pass.
  const [downgrade, anomaly] = list.map(({ potential_savings_usd }: { potential_savings_usd: string }) =>
    Number(potential_savings_usd),
  );
  assert.equal(downgrade, 2_100 * 0.03535);
  assert.equal(anomaly, 72 - 2 * 10 * 0.036);
  assert(Number(total) < downgrade + anomaly && Number(total) > Math.max(downgrade, anomaly), total);
});

test('of a quiet month nothing is recommended, and other organizations’ calls are not looked at', async (t) => {
  const calls = times(
    50,
    (n) => ({ age: n * hour, cacheKey: 'k', cache: 'bypass', costUsd: '1', organization: 'other' }) as Call,
  );
  const { list, total } = await (await house(t, calls)).recommend();
  assert.deepEqual([list, total], [[], '0']);
});
