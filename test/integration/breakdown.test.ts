import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { insertUsage } from '../../src/collector/usage-rows.ts';
import { makeKey } from '../../src/identity/keys.ts';
import { insertKey } from '../../src/identity/store.ts';
import { createPricer } from '../../src/usage/pricer.ts';
import { amountOf } from '../../src/usage/prices/decimal.ts';
import { noUsage, type UsageRecord } from '../../src/usage/record.ts';
import { testApi } from '../fixtures/api.ts';
import { testDatabase } from '../fixtures/postgres.ts';
import { usageRecord } from '../fixtures/usage-records.ts';

const hour = 3_600_000;
/** Both changes of the clock lie behind it, in Berlin and in New York. */
const now = Date.UTC(2026, 10, 23, 12);

async function house(t: TestContext, records: UsageRecord[]) {
  const { pool } = await testDatabase(t);
  await pool.query(`INSERT INTO organizations (id, name) VALUES ('acme', 'acme')`);
  const key = makeKey('admin');
  await insertKey(pool, 'acme', 'test', key);
  const client = await pool.connect();
  try {
    await insertUsage(client, records, now);
  } finally {
    client.release();
  }
  const api = await testApi(t, pool, { pricer: createPricer(), now });
  return (url: string) => api.ask('GET', url, { key: key.secret });
}

const teams = ['search', 'chat', null];
/** Half a year of calls, at any minute, many of them at the changes of the clock. */
function manyRecords(): UsageRecord[] {
  const times = fc.sample(
    fc.oneof(
      fc.integer({ min: now - 4_400 * hour, max: now }),
      fc.integer({ min: Date.UTC(2026, 9, 24, 20), max: Date.UTC(2026, 9, 25, 6) }),
      fc.integer({ min: Date.UTC(2026, 10, 1, 2), max: Date.UTC(2026, 10, 1, 9) }),
    ),
    { numRuns: 600, seed: 7 },
  );
  return times.map((startedAt, i) =>
    usageRecord({
      organization: i % 17 === 0 ? 'other' : 'acme',
      startedAt,
      endedAt: startedAt + 100,
      provider: i % 3 === 0 ? 'groq' : 'openai',
      model: `model-${i % 4}`,
      user: i % 5 === 0 ? null : `user-${i % 5}`,
      // Some are too long for an index.
      tags:
        teams[i % 3] === null
          ? {}
          : { team: String(teams[i % 3]), ...(i % 7 === 0 && { note: 'x'.repeat(300) }) },
      cache: i % 6 === 0 ? 'hit' : 'miss',
      usage: { ...noUsage, input: i, output: 1 },
      costUsd: i % 11 === 0 ? null : `0.${String(i * 7_919).padStart(12, '0')}`,
    }),
  );
}

interface Row {
  group: Record<string, string | null>;
  time: string | null;
  calls: number;
  cost_usd: string | null;
}
const costOf = (rows: { cost_usd: string | null }[]) =>
  rows.reduce((sum, { cost_usd }) => sum + amountOf(cost_usd ?? '0'), 0n);

test('every grouping in every time zone sums up to the ledger, also over the changes of the clock', async (t) => {
  const records = manyRecords();
  const ask = await house(t, records);
  const mine = records.filter(({ organization }) => organization === 'acme');
  const cost = costOf(mine.map(({ costUsd }) => ({ cost_usd: costUsd })));
  const range = 'start_date=2026-05-01&end_date=2026-11-23&limit=1000';
  const groups = [
    '',
    'model',
    'provider,model',
    'user',
    'hour',
    'day',
    'tag:team',
    'hour,day',
    'api_key,cache,operation',
  ];
  for (const zone of ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata']) {
    for (const group of groups) {
      const url = `/analytics/breakdown?group_by=${group}&timezone=${zone}&${range}`;
      const { rows } = JSON.parse((await ask(url)).text) as { rows: Row[] };
      assert.equal(
        rows.reduce((sum, { calls }) => sum + calls, 0),
        mine.length,
        url,
      );
      assert.equal(costOf(rows), cost, url);
    }
    for (const interval of ['hour', 'day', 'week', 'month']) {
      const url = `/analytics/breakdown?group_by=provider&interval=${interval}&timezone=${zone}&${range}`;
      const { rows } = JSON.parse((await ask(url)).text) as { rows: Row[] };
      assert.equal(costOf(rows), cost, url);
      const times = rows.filter(({ group }) => group.provider === 'groq').map(({ time }) => time);
      assert.equal(new Set(times).size, times.length, url);
      assert.deepEqual(times, times.toSorted(), url);
      if (interval === 'hour') assert(times.length > 4_900, url);
      if (interval === 'day') assert.equal(times.length, 207, url);
    }
  }
});

test('an hour of the day and a date are those of the clock where people are', async (t) => {
  // 23:30 UTC is half past midnight, or half past one before the clock was set back.
  const at = (month: number, day: number) =>
    usageRecord({ organization: 'acme', startedAt: Date.UTC(2026, month, day, 23, 30) });
  const ask = await house(t, [at(9, 23), at(10, 19)]);
  const query = 'start_date=2026-10-01&timezone=Europe/Berlin';
  const hours = JSON.parse((await ask(`/analytics/breakdown?group_by=hour&order=calls&${query}`)).text);
  assert.deepEqual(hours.rows.map(({ group }: Row) => group.hour).toSorted(), ['00', '01']);
  const days = JSON.parse((await ask(`/analytics/breakdown?group_by=day&${query}`)).text);
  assert.deepEqual(days.rows.map(({ group }: Row) => group.day).toSorted(), ['2026-10-24', '2026-11-20']);
});

test('what workloads spent is told by workload, by cluster and by namespace', async (t) => {
  const of = (workload: string | null) => usageRecord({ organization: 'acme', startedAt: now, workload });
  const ask = await house(t, [of('prod/search/api'), of('prod/search/web'), of('test/search/api'), of(null)]);
  const groups = async (name: string) => {
    const { rows } = JSON.parse((await ask(`/analytics/breakdown?group_by=${name}`)).text) as { rows: Row[] };
    return Object.fromEntries(rows.map(({ group, calls }) => [group[name] ?? 'none', calls]));
  };
  assert.deepEqual(await groups('cluster'), { prod: 2, test: 1, none: 1 });
  assert.deepEqual(await groups('namespace'), { search: 3, none: 1 });
  const each = { 'prod/search/api': 1, 'prod/search/web': 1, 'test/search/api': 1, none: 1 };
  assert.deepEqual(await groups('workload'), each);
});

test('a series has its empty intervals, with zeros, even where there is nothing at all', async (t) => {
  const ask = await house(t, [usageRecord({ organization: 'acme', startedAt: Date.UTC(2026, 10, 20, 5) })]);
  const url = '/analytics/breakdown?group_by=&interval=hour&start_date=2026-11-20&end_date=2026-11-21';
  const { rows } = JSON.parse((await ask(url)).text) as { rows: Row[] };
  assert.equal(rows.length, 48);
  assert.deepEqual(
    rows.filter(({ calls }) => calls > 0).map(({ time }) => time),
    ['2026-11-20T05:00:00.000Z'],
  );
  const empty = JSON.parse(
    (await ask('/analytics/breakdown?group_by=&interval=day&start_date=2026-06-01&end_date=2026-06-30')).text,
  );
  assert.deepEqual(
    empty.rows.map(({ calls }: Row) => calls),
    Array(30).fill(0),
  );
});

test('a summary tells this period and the one before, and what each kind of cache saved', async (t) => {
  const day = 24 * hour;
  const call = (facts: Partial<UsageRecord>) => usageRecord({ organization: 'acme', ...facts });
  const ask = await house(t, [
    call({ startedAt: now - day, costUsd: '1.5', endedAt: now - day + 1_000, firstChunkMs: 200 }),
    call({ startedAt: now - 2 * day, cache: 'hit', costUsd: '0', savedUsd: '0.25' }),
    call({ startedAt: now - 2 * day, cache: 'coalesced', costUsd: '0', savedUsd: '0.125' }),
    call({ startedAt: now - 3 * day, outcome: 'upstream_error', costUsd: null, usageSource: null }),
    call({
      startedAt: now - 3 * day,
      costUsd: '0.5',
      usage: { ...noUsage, input: 2_000_000, output: 0, cacheRead: 1_000_000 },
    }),
    call({ startedAt: now - 9 * day, costUsd: '4' }),
  ]);
  const summary = JSON.parse((await ask('/analytics/summary?start_date=2026-11-17')).text);
  assert.deepEqual(
    [summary.calls, summary.hits, summary.coalesced, summary.errors, summary.hit_rate],
    [5, 1, 1, 1, 0.4],
  );
  assert.deepEqual(
    [summary.cost_usd, summary.saved_by_cache_usd, summary.saved_by_coalescing_usd],
    ['2', '0.25', '0.125'],
  );
  // gpt-4o: 2.50 USD a million tokens of input, 1.25 of those that were read of its cache.
  assert.equal(summary.saved_by_prompt_cache_usd, '1.25');
  assert.deepEqual([summary.before.calls, summary.before.cost_usd], [1, '4']);
  assert.equal(summary.first_chunk_p50_ms, 120);
});

test('calls are narrowed down by what they have in common', async (t) => {
  const records = manyRecords().filter(({ startedAt }) => startedAt > now - 700 * hour);
  const ask = await house(t, records);
  const url = '/analytics/breakdown?group_by=&provider=groq&model=model-0&tags=team=search&cache=hit';
  const { rows } = JSON.parse((await ask(url)).text) as { rows: Row[] };
  const expected = records.filter(
    (each) =>
      each.organization === 'acme' &&
      each.provider === 'groq' &&
      each.model === 'model-0' &&
      each.tags.team === 'search' &&
      each.cache === 'hit',
  );
  assert(expected.length > 0);
  assert.equal(rows[0]?.calls, expected.length);
});

test('CSV and FOCUS are what spreadsheets and FinOps tools read', async (t) => {
  const ask = await house(t, [
    usageRecord({ organization: 'acme', startedAt: now - hour, user: '=1+1, "x"', costUsd: '0.5' }),
  ]);
  const csv = await ask('/analytics/breakdown.csv?group_by=user,model&percentiles=false');
  assert.match(String(csv.type), /^text\/csv/);
  const [head, line] = csv.text.split('\r\n');
  assert.equal(
    head,
    'user,model,calls,hits,coalesced,errors,input_tokens,output_tokens,cache_read_tokens,cost_usd,tool_usd,saved_usd,baseline_usd,unpriced,p50_ms,p95_ms',
  );
  // A spreadsheet must not take it for a formula.
  assert.equal(line, `"'=1+1, ""x""",gpt-4o-2024-08-06,1,0,0,0,1000,200,0,0.5,,,0.5,0,,`);
  const focus = (await ask('/analytics/focus.csv')).text.split('\r\n');
  const columns = focus[0]?.split(',') ?? [];
  const values = focus[1]?.split(',') ?? [];
  const charge = Object.fromEntries(columns.map((name, index) => [name, values[index]]));
  assert.deepEqual(
    [
      charge.BilledCost,
      charge.BillingCurrency,
      charge.ChargePeriodStart,
      charge.ConsumedQuantity,
      charge.ServiceName,
    ],
    ['0.5', 'USD', '2026-11-23T00:00:00.000Z', '1200', 'gpt-4o-2024-08-06'],
  );
});

test('what cannot be asked is refused with what can be', async (t) => {
  const ask = await house(t, [usageRecord()]);
  const refused = async (query: string) => {
    const { status, text } = await ask(`/analytics/breakdown?${query}`);
    assert.equal(status, 400, query);
    return JSON.parse(text).detail as string;
  };
  assert.match(await refused('group_by=modell'), /allowed are model, .*tag:<name>/);
  assert.match(await refused('timezone=Mars/Olympus'), /timezone: expected a time zone such as/);
  assert.match(await refused('start_date=2026-02-30'), /start_date: expected a day/);
  assert.match(await refused('start_date=2026-02-03&end_date=2026-02-01'), /expected a time before end_date/);
  assert.match(await refused('interval=hour&start_date=2016-01-01&order=magic'), /order/);
});
