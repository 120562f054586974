// Eight processes, one Redis, one ledger: limits and budgets hold, whatever dies. WEIR_TEST_ROUNDS=20 does each
// of them so often, with ten times the calls.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { usdAmount } from '../../src/limits/budgets/amounts.ts';
import { budgetOf, currentWindow } from '../../src/limits/budgets/budget.ts';
import { createSpendingLedger } from '../../src/limits/budgets/ledger.ts';
import { type Crowd, startCrowd } from '../fixtures/crowd.ts';
import { budgetsOf, limitsOf } from '../fixtures/limits.ts';
import { testDatabase } from '../fixtures/postgres.ts';
import { type RedisServer, startRedis } from '../fixtures/redis.ts';

const rounds = Number(process.env.WEIR_TEST_ROUNDS ?? 1);
const calls = rounds > 1 ? 50_000 : 8_000;
const processes = 8;
const concurrency = 8;
/** 0.02 USD. */
const maxCost = 20_000_000_000;
const maxOverrun = 0.25;
/** Half of what the calls would cost. */
const limit = (BigInt(maxCost / 2) * BigInt(calls)) / 2n;

/** What calls that run at one time may cost over their reservations: docs/limits.md. */
const overruns = BigInt(Math.ceil(processes * concurrency * maxCost * (maxOverrun / (1 + maxOverrun))));
/** What may be lost of the leases of `lost` processes, with what their running calls have reserved. */
const leases = (lost: number) =>
  BigInt(lost) * (limit / BigInt(100 * processes) + BigInt(concurrency * maxCost * 3));

const scenes: [name: string, lost: number, fail: (redis: RedisServer, crowd: Crowd) => Promise<void>][] = [
  ['while nothing fails', 0, async () => {}],
  [
    'with Redis killed in the middle',
    processes,
    async (redis) => {
      await redis.kill();
      await delay(500);
      await redis.start();
    },
  ],
  ['with a processor killed -9', 1, (_redis, crowd) => crowd.kill(0, 300)],
  [
    'with Redis emptied',
    processes,
    async (redis) => {
      await redis.command('FLUSHALL');
    },
  ],
];

for (const [name, lost, fail] of scenes) {
  test(`a hard budget holds ${name}`, { timeout: 600_000 * rounds }, async (t) => {
    for (let round = 0; round < rounds; round++) await holds(t, lost, fail);
  });
}

async function holds(t: TestContext, lost: number, fail: (typeof scenes)[number][2]): Promise<void> {
  const redis = await startRedis(t);
  if (!redis) return;
  const { pool, url } = await testDatabase(t);
  const [budget] = budgetsOf({ name: 'all', usd: text(limit), period: 'month' });
  assert(budget);
  const plan = { redis: redis.url, postgres: url, limits: [], budgets: [budget] };
  const crowd = await startCrowd(t, pool, {
    ...plan,
    processes,
    calls: calls / processes,
    concurrency,
    maxCost,
    maxOverrun,
    callMs: 4,
  });
  await crowd.reaches({ spent: limit / 2n });
  await fail(redis, crowd);
  const { passed, denied, unavailable, spent } = await crowd.done();
  const share = Number((spent * 1_000_000n) / limit) / 10_000;
  t.diagnostic(`${passed} passed, ${denied} denied, ${unavailable} times unavailable; spent ${share} %`);
  assert(spent <= limit + overruns + leases(lost), `spent ${share} %`);
  assert(spent >= (limit * 99n) / 100n, `spent ${share} %`);
  assert(denied > 0);
  // Whatever was killed: the ledger has what was spent.
  const sums = await createSpendingLedger(pool).sum(
    budgetOf(budget, 'a'),
    currentWindow(budget, Date.now()),
    [],
  );
  assert.equal(
    sums.reduce((sum, { amount }) => sum + amount, 0n),
    spent,
  );
  await redis.stop();
}

function text(amount: bigint): string {
  const usd = (Number(amount) / 1e12).toFixed(6);
  assert.equal(usdAmount(usd), amount);
  return usd;
}

/** The limits of one hour; calls take no time. */
const hourly = {
  limits: limitsOf({ name: 'hourly', requests: 1_000, window: '1h' }),
  budgets: [],
  processes,
  calls: 5_000 / processes,
  concurrency: 5_000 / processes,
  maxCost: 0,
  maxOverrun: 0,
  callMs: 0,
};

test('1,000 an hour are exactly 1,000 of 5,000 calls at once over 8 processes', async (t) => {
  for (let round = 0; round < rounds; round++) {
    const redis = await startRedis(t);
    if (!redis) return;
    const { pool, url } = await testDatabase(t);
    const crowd = await startCrowd(t, pool, { ...hourly, redis: redis.url, postgres: url });
    assert.equal((await crowd.done()).passed, 1_000);
    await redis.stop();
  }
});

test('with Redis away each process lets its share pass; with Redis lost amid it, less than twice the limit', async (t) => {
  for (let round = 0; round < rounds; round++) {
    const redis = await startRedis(t);
    if (!redis) return;
    const { pool, url } = await testDatabase(t);
    const plan = { ...hourly, redis: redis.url, postgres: url };
    const amid = await startCrowd(t, pool, { ...plan, concurrency: 4, callMs: 1 });
    await amid.reaches({ passed: 300 });
    await redis.kill();
    const passed = (await amid.done()).passed;
    t.diagnostic(`${passed} passed with Redis killed amid them`);
    assert(passed >= 1_000 && passed <= 2_000, `${passed}`);
    const away = await startCrowd(t, pool, plan);
    assert.equal((await away.done()).passed, 1_000);
  }
});
