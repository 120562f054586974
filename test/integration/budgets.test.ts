import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { insertUsage } from '../../src/collector/usage-rows.ts';
import { policySchema } from '../../src/config/policy/policy.ts';
import type { Pool } from '../../src/db/pool.ts';
import { makeKey } from '../../src/identity/keys.ts';
import { insertKey } from '../../src/identity/store.ts';
import { createAsker } from '../../src/limits/asker.ts';
import { usdAmount } from '../../src/limits/budgets/amounts.ts';
import { budgetOf, currentWindow } from '../../src/limits/budgets/budget.ts';
import { createSpendingLedger } from '../../src/limits/budgets/ledger.ts';
import { createRedisTruth } from '../../src/limits/budgets/redis.ts';
import { connectRedis, type RedisConnection } from '../../src/redis/connection.ts';
import { createBudgetReports } from '../../src/roles/budgets.ts';
import { noUsage, type UsageRecord } from '../../src/usage/record.ts';
import { testApi } from '../fixtures/api.ts';
import { eventually } from '../fixtures/collector.ts';
import { budgetsOf, limitedCall, limitsOf, makeLimits } from '../fixtures/limits.ts';
import { testDatabase } from '../fixtures/postgres.ts';
import { startRedis } from '../fixtures/redis.ts';
import { usageRecord } from '../fixtures/usage-records.ts';
import { runWeir } from '../fixtures/weir.ts';

const log = pino({ level: 'silent' });
const usd = usdAmount;

async function write(pool: Pool, ...records: Partial<UsageRecord>[]): Promise<void> {
  const client = await pool.connect();
  const startedAt = Date.now();
  await insertUsage(
    client,
    records.map((each) => usageRecord({ startedAt, organization: 'a', ...each })),
    startedAt,
  );
  client.release();
}

/** A process's limits, started; its ledger is the database. */
async function startRoom(t: TestContext, pool: Pool, url: string) {
  const redis = connectRedis(url, log);
  const room = makeLimits(redis, { ledger: createSpendingLedger(pool) });
  await room.start();
  t.after(async () => {
    await room.stop();
    await redis.close();
  });
  return room;
}

test('the ledger is summed up as calls are counted: by subject, bucket and process, for what a budget is about', async (t) => {
  const { pool } = await testDatabase(t);
  const usage = { ...noUsage, input: 10, output: 5 };
  await write(
    pool,
    { costUsd: '0.1', toolUsd: '0.01', usage, processor: 'p1', tags: { team: 'a' } },
    { costUsd: '0.0000000000001', usage, processor: 'p2', tags: { team: 'a' } },
    { costUsd: '0.2', usage, processor: 'p3', tags: { team: 'a' }, startedAt: Date.now() - 3_600_000 },
    { costUsd: '0', usage, cache: 'hit', processor: 'p1', tags: { team: 'a' } },
    { costUsd: null, usage, processor: null, tags: {}, requestedModel: 'my_model', user: null },
    { costUsd: '5', usage, organization: 'b' },
    { costUsd: '7', usage, startedAt: Date.now() - 40 * 86_400_000 },
  );
  const ledger = createSpendingLedger(pool);
  const sums = async (facts: object) => {
    const [config] = budgetsOf({ name: 'x', ...facts });
    assert(config);
    const rows = await ledger.sum(budgetOf(config, 'a'), currentWindow(config, Date.now()), ['p1']);
    return rows.map(({ subject, process, amount }) => `${subject} ${process || '-'} ${amount}`).sort();
  };
  assert.deepEqual(await sums({ per: 'tag:team', usd: 1, rolling: '24h' }), [
    'a - 200000000000',
    'a p1 110000000000',
    'a p2 1',
    'null - 0',
  ]);
  assert.deepEqual(await sums({ per: 'user', tokens: 1, rolling: '48h' }), [
    'ada - 15',
    'ada p1 15',
    'ada p2 15',
    'null - 15',
  ]);
  const about = { models: ['my_mod??'], users: ['*'], workloads: ['prod/*'] };
  assert.deepEqual(await sums({ tokens: 1, rolling: '48h', match: { models: about.models } }), ['a - 15']);
  assert.deepEqual(await sums({ tokens: 1, rolling: '48h', match: about }), []);
  assert.deepEqual(await sums({ tokens: 1, rolling: '48h', match: { models: ['my%'] } }), []);
});

test('processes spend one budget; emptied, Redis has it back from the ledger and from them', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  const { pool } = await testDatabase(t);
  await pool.query("INSERT INTO organizations (id, name) VALUES ('a', 'a')");
  const declared = { name: 'all', usd: 10, period: 'month' };
  const budgets = budgetsOf(declared);
  const policy = { limits: [], budgets };
  await write(pool, { costUsd: '4', processor: 'gone' });
  const [one, other] = await Promise.all([1, 2].map(() => startRoom(t, pool, server.url)));
  assert(one && other);
  const spend = async (room: typeof one, amount: string) => {
    const admission = await room.admit(policy, limitedCall({ asks: { usd: usd(amount) } }));
    admission.close(admission.denial ? 'refused' : { tokens: 0, usd: usd(amount) });
    return admission.denial?.kind ?? 'passed';
  };
  assert.equal(await spend(one, '3'), 'passed');
  assert.equal(await spend(other, '2'), 'passed');
  assert.equal(await spend(other, '1.5'), 'budget');

  await server.command('FLUSHALL');
  // Neither has written to the ledger yet: what they know is told again before anything is lent.
  assert.equal(await spend(one, '1.5'), 'budget');
  await eventually(async () => (await spend(other, '0.9')) === 'passed' || undefined);
  await write(pool, { costUsd: '3', processor: one.process }, { costUsd: '2.9', processor: other.process });

  const redis = connectRedis(server.url, log);
  t.after(() => redis.close());
  const reports = createBudgetReports(pool, redis, { defaults: policySchema.parse({ budgets: [declared] }) });
  await eventually(async () => {
    const [report] = await reports('a');
    return (report?.spent === usd('9.9') && report.counted === usd('9.9')) || undefined;
  });
});

test('a process that speaks up late makes the ledger be looked at again: it was counted as gone', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  const redis = connectRedis(server.url, log);
  t.after(() => redis.close());
  if (redis.client.status !== 'ready') await once(redis.client, 'ready');
  const truth = createRedisTruth(createAsker(redis));
  const place = { key: 'weir:{a}:place', budgetKey: 'weir:{a}:budget', keptMs: 60_000 };
  let sequence = 0;
  const sync = (process: string, spent: [number, bigint][]) =>
    truth.sync({
      ...place,
      process,
      sequence: ++sequence,
      acknowledged: 0,
      epoch: '',
      held: 0n,
      need: 0n,
      more: false,
      limit: 1_000n,
      mostLent: 10n,
      sharers: 2,
      firstBucket: 0,
      spent: new Map(spent),
    });
  const first = await eventually(async () => {
    const reply = await sync('early', []);
    return reply.kind === 'ok' && reply.build ? reply : undefined;
  });
  const { epoch } = first;
  const spent = async () => (await truth.read([place.key], 0))[0]?.spent;
  await truth.restore({ ...place, epoch }, ['early'], [{ bucket: 0, process: '', amount: 300n }]);
  await truth.built(place.budgetKey, epoch, 3_600_000);
  assert.equal((await truth.watch(place.budgetKey)).build, false);
  await sync('late', [[0, 300n]]);
  assert.equal(await spent(), 600n);
  await eventually(async () => (await truth.watch(place.budgetKey)).build || undefined);
  await truth.restore({ ...place, epoch }, ['early', 'late'], [{ bucket: 0, process: 'late', amount: 290n }]);
  assert.equal(await spent(), 300n);
});

test('/budgets tells how they stand, and weir budgets verify whether they agree with the ledger', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  const { pool, url } = await testDatabase(t);
  const key = makeKey('admin');
  await pool.query("INSERT INTO organizations (id, name) VALUES ('a', 'a')");
  await insertKey(pool, 'a', 'admin', key);
  const config = {
    defaults: { budgets: [{ name: 'all', usd: '10', period: 'month' }] },
    redis: { url: server.url },
    postgres: { url },
  };
  const budgets = budgetsOf(...config.defaults.budgets);
  const room = await startRoom(t, pool, server.url);
  const call = limitedCall({ asks: { usd: usd('2') } });
  const running = await room.admit({ limits: [], budgets }, call);
  const spent = await room.admit({ limits: [], budgets }, call);
  spent.close({ tokens: 0, usd: usd('1.25') });
  await write(pool, { costUsd: '1.25', processor: room.process });

  const redis: RedisConnection = connectRedis(server.url, log);
  const reports = createBudgetReports(pool, redis, { defaults: policySchema.parse(config.defaults) });
  t.after(() => redis.close());
  const api = await testApi(t, pool, { budgets: reports });
  const stands = await eventually(async () => {
    const [budget] = (await api.ask('GET', '/budgets', { key: key.secret })).body.budgets;
    return budget?.spent === '1.25' && Number(budget.reserved) >= 2 ? budget : undefined;
  });
  assert.equal(stands.name, 'all');
  assert.equal(stands.limit, '10');
  assert.equal(Number(stands.remaining), 10 - 1.25 - Number(stands.reserved));

  const directory = mkdtempSync(join(tmpdir(), 'weir-budgets-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'weir.yaml');
  writeFileSync(file, JSON.stringify(config));
  const verify = () => runWeir(['budgets', 'verify', '--config', file, '--data', directory, '--wait', '2']);
  const agreed = await verify();
  assert.equal(agreed.code, 0, agreed.output);
  assert.match(agreed.output, /a \/ all \/ a: ledger 1\.25, counted 1\.25, limit 10 usd/);
  // One that the ledger never hears of.
  const lost = await room.admit({ limits: [], budgets }, call);
  lost.close({ tokens: 0, usd: usd('0.01') });
  const differs = await verify();
  assert.equal(differs.code, 1, differs.output);
  assert.match(differs.output, /ledger 1\.25, counted 1\.26, limit 10 usd {2}DIFFERS/);
  running.close('free');
});

test('tokens are corrected in their window, running calls leave, in Redis as in memory', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  const { pool } = await testDatabase(t);
  const shared = await startRoom(t, pool, server.url);
  for (const room of [makeLimits(null), shared]) {
    const limits = limitsOf(
      { name: 'tpm', tokens: 100, window: '1m' },
      { name: 'running', per: 'user', concurrent: 2 },
      { name: 'shadow', tokens: 1, window: '1m', shadow: true },
    );
    const admit = (tokens: number) => room.admit({ limits, budgets: [] }, limitedCall({ asks: { tokens } }));
    const first = await admit(60);
    assert.equal(first.denial, null);
    assert.deepEqual(first.standing.exceeded, ['shadow']);
    const large = await admit(50);
    assert(large.denial?.kind === 'limit' && large.denial.state.kind === 'tokens' && large.passesHits);
    large.close('refused');
    first.close({ tokens: 10, usd: 0n });
    const [second, third] = [await admit(50), await admit(20)];
    assert.equal(second.denial, null);
    assert.equal(third.denial, null);
    const fourth = await admit(1);
    assert(fourth.denial?.kind === 'limit' && fourth.denial.state.kind === 'concurrent');
    fourth.close('refused');
    second.close({ tokens: 50, usd: 0n });
    assert.equal((await admit(1)).denial, null);
    const never = await admit(101);
    assert(never.denial?.kind === 'limit' && never.denial.never);
  }
});
