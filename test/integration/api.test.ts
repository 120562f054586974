import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { insertUsage } from '../../src/collector/usage-rows.ts';
import { createPool, type Pool } from '../../src/db/pool.ts';
import { makeKey } from '../../src/identity/keys.ts';
import { insertKey } from '../../src/identity/store.ts';
import { noUsage, type UsageRecord } from '../../src/usage/record.ts';
import { testApi } from '../fixtures/api.ts';
import { testDatabase } from '../fixtures/postgres.ts';
import { usageRecord } from '../fixtures/usage-records.ts';

const log = pino({ level: 'silent' });
const now = Date.UTC(2026, 10, 23, 12);

async function house(t: TestContext) {
  const { pool } = await testDatabase(t);
  const api = await testApi(t, pool, { log, now });
  const keyFor = async (organization: string, scope: 'call' | 'admin') => {
    await pool.query('INSERT INTO organizations (id, name) VALUES ($1, $1) ON CONFLICT DO NOTHING', [
      organization,
    ]);
    const key = makeKey(scope);
    await insertKey(pool, organization, 'test', key);
    return key.secret;
  };
  const get = (url: string, key?: string) => api.ask('GET', url, { key });
  return { pool, keyFor, get };
}

async function insert(pool: Pool, records: UsageRecord[]): Promise<void> {
  const client = await pool.connect();
  await insertUsage(client, records, now);
  client.release();
}

test('sums by model and provider are those of the records, and stay within the organization', async (t) => {
  const { pool, keyFor, get } = await house(t);
  const admin = await keyFor('acme', 'admin');
  const records = Array.from({ length: 200 }, (_, i) =>
    usageRecord({
      organization: i % 10 === 0 ? 'other' : 'acme',
      provider: i % 3 === 0 ? 'groq' : 'openai',
      model: `model-${i % 4}`,
      cache: i % 5 === 0 ? 'hit' : 'miss',
      outcome: i % 7 === 0 ? 'upstream_error' : 'completed',
      usage: { ...noUsage, input: i, output: 1 },
      costUsd: i % 11 === 0 ? null : `0.${String(i).padStart(12, '0')}`,
      startedAt: now - i * 60_000,
    }),
  );
  await insert(pool, records);
  const { status, body } = await get('/analytics/breakdown?group_by=model,provider', admin);
  assert.equal(status, 200);
  const mine = records.filter(({ organization }) => organization === 'acme');
  const groups = Map.groupBy(mine, ({ model, provider }) => `${model} ${provider}`);
  assert.equal(body.rows.length, groups.size);
  for (const row of body.rows) {
    const members = groups.get(`${row.group.model} ${row.group.provider}`) ?? [];
    const processed = members.filter(({ cache }) => cache !== 'hit');
    const picos = members.reduce(
      (sum, { costUsd }) => sum + BigInt((costUsd ?? '0.0').split('.')[1] ?? '0'),
      0n,
    );
    assert.deepEqual(
      [row.calls, row.hits, row.errors, row.unpriced, row.input_tokens, row.output_tokens],
      [
        members.length,
        members.length - processed.length,
        members.filter(({ outcome }) => outcome !== 'completed').length,
        members.filter(({ costUsd }) => costUsd === null).length,
        processed.reduce((sum, { usage }) => sum + (usage.input ?? 0), 0),
        processed.length,
      ],
    );
    assert.equal(BigInt(String(row.cost_usd).replace(/^0\.?/, '').padEnd(12, '0')), picos);
  }
});

test('pages give each exchange once, also while others arrive', async (t) => {
  const { pool, keyFor, get } = await house(t);
  const admin = await keyFor('acme', 'admin');
  // Many at the same instant: the id decides.
  const records = Array.from({ length: 25 }, (_, i) =>
    usageRecord({ organization: 'acme', startedAt: now - (i % 3) }),
  );
  await insert(pool, records);
  const seen: string[] = [];
  let cursor: string | null = null;
  do {
    const { body } = await get(`/analytics/exchanges?limit=4${cursor ? `&cursor=${cursor}` : ''}`, admin);
    seen.push(...body.exchanges.map(({ id }: { id: string }) => id));
    cursor = body.next_cursor;
    await insert(pool, [usageRecord({ organization: 'acme', startedAt: now + 5 })]);
  } while (cursor);
  assert.deepEqual(seen.toSorted(), records.map(({ id }) => id).toSorted());
});

test('an exchange is found by its id, by its own organization only', async (t) => {
  const { pool, keyFor, get } = await house(t);
  const record = usageRecord({ organization: 'acme', costUsd: '0.000260', startedAt: now });
  await insert(pool, [record]);
  const own = await get(`/analytics/exchanges/${record.id}`, await keyFor('acme', 'admin'));
  assert.equal(own.body.cost_usd, '0.00026');
  const other = await get(`/analytics/exchanges/${record.id}`, await keyFor('other', 'admin'));
  assert.equal(other.status, 404);
  assert.equal(
    (await get(`/analytics/exchanges/${randomUUID()}`, await keyFor('acme', 'admin'))).status,
    404,
  );
});

test('dates are meant as people mean them', async (t) => {
  const { pool, keyFor, get } = await house(t);
  const admin = await keyFor('acme', 'admin');
  const at = (text: string) => usageRecord({ organization: 'acme', startedAt: Date.parse(text) });
  await insert(pool, [at('2026-11-20T00:00:00Z'), at('2026-11-21T23:59:59Z'), at('2026-11-22T00:00:00Z')]);
  const calls = async (query: string) => {
    const { body } = await get(`/analytics/breakdown?${query}`, admin);
    return body.rows.reduce((sum: number, row: { calls: number }) => sum + row.calls, 0);
  };
  assert.equal(await calls('start_date=2026-11-20&end_date=2026-11-21'), 2);
  assert.equal(await calls('start_date=2026-11-20&end_date=2026-11-21T23:00:00Z'), 1);
  assert.equal(await calls(''), 3);
});

test('wrong parameters are named, with what is allowed', async (t) => {
  const { keyFor, get } = await house(t);
  const admin = await keyFor('acme', 'admin');
  const wrong: [string, RegExp][] = [
    ['group_by=colour', /group_by.*allowed are model, requested_model, provider/],
    ['start_date=2026-02-30', /start_date: expected a day/],
    ['start_date=2026-11-23&end_date=2026-11-20', /before end_date/],
    ['limit=0', /limit/],
    ['grup_by=model', /grup_by/],
  ];
  for (const [query, expected] of wrong) {
    const { status, body, headers } = await get(`/analytics/breakdown?${query}`, admin);
    assert.equal(status, 400);
    assert.match(String(headers['content-type']), /^application\/problem\+json/);
    assert.match(body.detail, expected);
  }
  assert.equal((await get('/analytics/exchanges?cursor=nonsense', admin)).status, 400);
});

test('without an admin key there is nothing to see', async (t) => {
  const { pool, keyFor, get } = await house(t);
  const path = '/analytics/breakdown';
  assert.equal((await get(path)).body.code, 'key_missing');
  assert.equal((await get(path, 'weir_admin_unknown')).body.code, 'key_unknown');
  assert.equal((await get(path, await keyFor('acme', 'call'))).body.code, 'key_not_allowed');
  const revoked = await keyFor('acme', 'admin');
  await pool.query("UPDATE api_keys SET revoked_at = now() WHERE scope = 'admin'");
  assert.equal((await get(path, revoked)).status, 401);
});

test('probes and the description need no key; what is not there is a problem document', async (t) => {
  const { get } = await house(t);
  assert.deepEqual((await get('/healthz')).body, { status: 'ok' });
  assert.deepEqual((await get('/readyz')).body, { status: 'ready', postgres: true });
  const { body } = await get('/openapi.json');
  assert.equal(body.openapi, '3.1.0');
  assert(
    body.paths['/analytics/breakdown'].get.parameters.some(
      ({ name }: { name: string }) => name === 'group_by',
    ),
  );
  assert.equal((await get('/nowhere')).body.code, 'not_found');
});

test('while PostgreSQL is away, the API says so and when to come again', async (t) => {
  const pool = createPool('postgres://127.0.0.1:1/weir', { log });
  t.after(() => pool.end());
  const api = await testApi(t, pool);
  const { status, body, headers } = await api.ask('GET', '/organization', { key: 'weir_api_x' });
  assert.deepEqual([status, body.code, headers['retry-after']], [503, 'database_unavailable', '2']);
  assert.equal((await api.ask('GET', '/healthz')).status, 200);
  assert.equal((await api.ask('GET', '/readyz')).status, 503);
});
