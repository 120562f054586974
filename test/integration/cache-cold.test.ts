import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createCacheAdmin } from '../../src/cache/admin.ts';
import { createAnswerSweep } from '../../src/cache/cold/sweep.ts';
import { answerKey } from '../../src/cache/hot/redis.ts';
import { makeKey } from '../../src/identity/keys.ts';
import { insertKey } from '../../src/identity/store.ts';
import type { RedisConnection } from '../../src/redis/connection.ts';
import { testApi } from '../fixtures/api.ts';
import { keptAnswer, place, question, silent, startCache } from '../fixtures/cache.ts';
import { eventually } from '../fixtures/collector.ts';
import { testDatabase } from '../fixtures/postgres.ts';
import { startRedis } from '../fixtures/redis.ts';
import { connect } from '../fixtures/redis-connection.ts';

const day = 86_400_000;

/** A database, the API on it, and processes with caches that have it as their cold tier. */
async function house(t: TestContext, redisUrl: string | null = null) {
  const cleanUp: (() => Promise<unknown>)[] = [];
  t.after(async () => {
    for (const each of cleanUp.reverse()) await each();
  });
  const { pool, url } = await testDatabase(t);
  for (const organization of ['acme', 'globex'])
    await pool.query('INSERT INTO organizations (id, name) VALUES ($1, $1)', [organization]);
  const key = makeKey('admin');
  await insertKey(pool, 'acme', 'test', key);
  // Hooks of the test run in the order in which they were made, these in the other.
  const own = { after: (work: () => Promise<unknown>) => void cleanUp.push(work) } as unknown as TestContext;
  const redis: RedisConnection | null = redisUrl === null ? null : await connect(own, redisUrl);
  const admin = createCacheAdmin({ pool, redis, log: silent });
  const api = await testApi(t, pool, { cache: admin });
  const sweep = createAnswerSweep({ pool, purgePending: admin.purgePending, log: silent });
  return {
    pool,
    redis,
    sweep,
    async startProcess(retentionMs = day) {
      const processRedis = redisUrl === null ? null : await connect(own, redisUrl);
      return startCache(own, { redis: processRedis, cold: { url, pool, retentionMs } });
    },
    async call(method: 'GET' | 'DELETE', path: string) {
      const reply = await api.inject({
        method,
        url: path,
        headers: { authorization: `Bearer ${key.secret}` },
      });
      return { status: reply.statusCode, body: reply.json() };
    },
    /** Waits until so many answers are in the cold tier. */
    kept: (count: number) =>
      eventually(async () => {
        const { rows } = await pool.query('SELECT FROM cache_entries');
        return rows.length === count || undefined;
      }),
  };
}

const at = (key: string, organization = 'acme') => ({ organization, key: key.padStart(64, '0') });

test('an answer outlives the process in the cold tier, sealed, and is put back into the hot one', async (t) => {
  const { pool, startProcess, kept } = await house(t);
  const one = await startProcess();
  const answer = keptAnswer({ pieces: [Buffer.from('the secret answer')] });
  await one.keep({ place, dialect: 'openai-chat', answer, flight: null });
  await kept(1);
  const { rows } = await pool.query('SELECT entry, provider, dialect, bytes FROM cache_entries');
  assert.doesNotMatch(rows[0].entry.toString('latin1'), /secret/);
  assert.deepEqual([rows[0].provider, rows[0].dialect, rows[0].bytes], ['openai', 'openai-chat', 17]);

  const other = await startProcess();
  const cold = await other.ask(question());
  assert(cold.kind === 'answer' && cold.tier === 'cold');
  assert.deepEqual(cold.answer, answer);
  const hot = await other.ask(question());
  assert(hot.kind === 'answer' && hot.tier === 'hot');
  // Many at once are asked for together.
  const found = await Promise.all(
    Array.from({ length: 50 }, (_, i) => other.ask(question({ key: `${i}`.padStart(64, '0') }))),
  );
  assert(found.every(({ kind }) => kind === 'lead'));
});

test('an answer is in the cold tier until its retention ends, or its own time; then it is deleted', async (t) => {
  const { pool, startProcess, kept, sweep, call } = await house(t);
  const process = await startProcess(1_000_000);
  const now = Date.now();
  const keep = (key: string, storedAt: number, life: number) =>
    process.keep({
      place: at(key),
      dialect: '',
      answer: keptAnswer({ storedAt, expiresAt: storedAt + life }),
      flight: null,
    });
  await keep('a', now, day);
  await keep('b', now - 1_000_001, day);
  await keep('c', now - 2_000, 1_000);
  await kept(3);
  const fresh = await startProcess();
  const kinds = await Promise.all(
    ['a', 'b', 'c'].map((key) => fresh.ask(question({ ...at(key), share: false }))),
  );
  assert.deepEqual(
    kinds.map(({ kind }) => kind),
    ['answer', 'none', 'none'],
  );
  assert.equal((await call('GET', `/cache/${at('b').key}`)).status, 404);
  await sweep.sweep();
  const { rows } = await pool.query("SELECT encode(key, 'hex') AS key FROM cache_entries");
  assert.deepEqual(rows, [{ key: at('a').key }]);
});

test('what comes of the cache is counted by answer and by organization, and told', async (t) => {
  const { startProcess, kept, call } = await house(t);
  const process = await startProcess();
  const answer = keptAnswer();
  await process.keep({ place, dialect: 'openai-chat', answer, flight: null });
  await kept(1);
  for (const result of ['hit', 'hit', 'coalesced', 'miss', 'would_be_hit'] as const)
    process.count(place, result, result === 'miss' ? null : answer);
  const of = { organization: 'globex', key: place.key };
  process.count(of, 'miss', null);
  const one = await eventually(async () => {
    const { body } = await call('GET', `/cache/${place.key}`);
    return body.hits > 0 ? body : undefined;
  });
  assert.deepEqual([one.hits, one.saved_tokens, one.saved_usd], [3, 36, '0.0000003']);
  assert.deepEqual([one.model, one.requested_model, one.streamed], ['gpt-4o-2024-08-06', 'gpt-4o', true]);
  const { body } = await call('GET', '/cache');
  const { start_date: _, end_date: __, ...totals } = body;
  assert.deepEqual(totals, {
    answers: 1,
    bytes: 10,
    hits: 2,
    coalesced: 1,
    misses: 1,
    saved_tokens: 36,
    saved_usd: '0.0000003',
    would_be_hits: 1,
    would_be_saved_tokens: 12,
    would_be_saved_usd: '0.0000001',
  });
  assert.equal((await call('GET', '/cache?start_date=2020-01-01&end_date=2020-01-02')).body.hits, 0);
});

test('an answer is sealed once for Redis and the database', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  const { pool, redis, startProcess, kept } = await house(t, server.url);
  const one = await startProcess();
  await one.keep({ place, dialect: 'openai-chat', answer: keptAnswer(), flight: null });
  await kept(1);
  const { rows } = await pool.query('SELECT entry FROM cache_entries');
  // No two seals are alike.
  assert.deepEqual(await redis?.client.getBuffer(answerKey(place)), rows[0].entry);
});

for (const where of ['memory', 'Redis'] as const) {
  test(`a purge counts first, and then leaves nothing in ${where}, PostgreSQL or any process`, async (t) => {
    const server = where === 'Redis' ? await startRedis(t) : null;
    if (where === 'Redis' && !server) return;
    const all = await house(t, server?.url ?? null);
    const { pool, startProcess, kept, call } = all;
    const processes = [await startProcess(), await startProcess()];
    const old = Date.now() - 7_200_000;
    const answers = [
      [at('1'), keptAnswer({ model: 'told', requestedModel: 'asked' })],
      [at('2'), keptAnswer({ model: 'other', storedAt: old, expiresAt: old + day })],
      [at('3'), keptAnswer({ model: 'other' })],
      [at('4', 'globex'), keptAnswer({ model: 'told' })],
    ] as const;
    // Without Redis each process has what it has kept.
    for (const process of where === 'Redis' ? processes.slice(0, 1) : processes)
      for (const [of, answer] of answers)
        await process.keep({ place: of, dialect: '', answer, flight: null });
    await kept(4);
    /** Which of the answers are found, by all processes. */
    const found = async () => {
      const lists = await Promise.all(
        processes.map((process) =>
          Promise.all(answers.map(([of]) => process.ask(question({ ...of, share: false })))),
        ),
      );
      const names = lists.map((list) =>
        list.map(({ kind }, i) => (kind === 'answer' ? `${i + 1}` : '-')).join(''),
      );
      return [...new Set(names)].join(' ');
    };
    const hot = (count: number) => (where === 'Redis' ? count : null);
    const gone = (expected: string) =>
      eventually(async () => ((await found()) === expected ? true : undefined), 3_000);

    assert.equal(await found(), '1234');
    const dry = await call('DELETE', '/cache?model=asked&dry_run=true');
    assert.deepEqual(dry.body, { dry_run: true, answers: 1, cold: 1, hot: hot(1) });
    assert.equal(await found(), '1234');
    assert.equal((await call('DELETE', '/cache?model=told')).body.answers, 1);
    await gone('-234');
    assert.equal((await call('DELETE', '/cache?older_than=1h')).body.answers, 1);
    await gone('--34');
    assert.equal((await call('DELETE', `/cache/${at('3').key}?dry_run=false`)).body.answers, 1);
    await gone('---4');
    // It may be gone before a process knows why.
    await eventually(async () => processes.every((each) => each.generation() === 3) || undefined, 3_000);
    for (const [of, answer] of answers)
      await processes[0]?.keep({ place: of, dialect: '', answer, flight: null });
    // Those that were asked for before they were purged do not come back.
    assert.equal(await found(), '---4');
    const late = await call('DELETE', '/cache?everything=true&dry_run=true');
    assert.equal(late.body.answers, 0);
    if (all.redis) assert.deepEqual(await all.redis.client.keys('weir:{acme}:answer:*'), []);
    const { rows } = await pool.query('SELECT organization FROM cache_entries');
    assert.deepEqual(rows, [{ organization: 'globex' }]);

    // An answer of another organization is not there, not even its key.
    assert.equal((await call('GET', `/cache/${at('4').key}`)).status, 404);
    assert.equal((await call('DELETE', `/cache/${at('4').key}`)).status, 404);
    const activity = await pool.query('SELECT actor, target, details FROM activity ORDER BY id');
    assert.equal(activity.rows.length, 4);
    assert.deepEqual(activity.rows[0].details, { model: 'told', stored_before: null, answers: 1 });
    assert.equal(activity.rows[2].target, at('3').key);
    assert.match(activity.rows[0].actor, /^key_/);
  });
}

test('everything must be said, and what is said must make sense', async (t) => {
  const { call } = await house(t);
  for (const path of [
    '/cache',
    '/cache?everything=true&model=m',
    '/cache?older_than=soon',
    '/cache/xyz',
    '/cache?modl=m',
  ])
    assert.equal((await call('DELETE', path)).status, 400, path);
});

test('a call that was under way when it was purged does not keep its answer, and is not joined any more', async (t) => {
  const { startProcess, call } = await house(t);
  const process = await startProcess();
  const lead = await process.ask(question());
  assert(lead.kind === 'lead');
  const followed = await process.ask(question());
  assert(followed.kind === 'follow');
  const generation = process.generation();
  await call('DELETE', `/cache/${place.key}`);
  await eventually(async () => (process.generation() > generation ? true : undefined), 3_000);
  const next = await process.ask(question());
  assert.equal(next.kind, 'lead');
  await process.keep({ place, dialect: '', answer: keptAnswer({ generation }), flight: lead.flight });
  assert.equal((await followed.flight.landed).kind, 'answer', 'who waited has it');
  assert.equal((await process.ask(question({ share: false }))).kind, 'none');
  assert(next.kind === 'lead');
  await process.keep({
    place,
    dialect: '',
    answer: keptAnswer({ generation: process.generation() }),
    flight: next.flight,
  });
  assert.equal((await process.ask(question())).kind, 'answer');
});

test('what Redis could not be told is not given, and deleted there when it answers', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  const { startProcess, pool, redis, sweep, call } = await house(t, server.url);
  const process = await startProcess();
  await process.keep({ place, dialect: '', answer: keptAnswer(), flight: null });
  server.pause();
  const purging = call('DELETE', '/cache?everything=true');
  const generation = process.generation();
  await eventually(async () => (process.generation() > generation ? true : undefined), 12_000);
  assert.equal((await purging).status, 200);
  server.resume();
  const key = `weir:{acme}:answer:${place.key}`;
  await eventually(async () => ((await redis?.client.exists(key).catch(() => 0)) === 1 ? true : undefined));
  assert.equal((await process.ask(question({ share: false }))).kind, 'none');
  await pool.query("UPDATE cache_purges SET at = at - interval '1 minute'");
  await sweep.sweep();
  assert.equal(await redis?.client.exists(key), 0);
  // A process that starts later knows of it as well.
  const later = await startProcess();
  assert(later.generation() > generation);
});

test('PostgreSQL that hangs or is away costs next to nothing, and is asked again', async (t) => {
  const { pool, startProcess, kept } = await house(t);
  const process = await startProcess();
  await process.keep({ place, dialect: '', answer: keptAnswer(), flight: null });
  await kept(1);
  const other = await startProcess();
  const client = await pool.connect();
  await client.query('BEGIN; LOCK TABLE cache_entries');
  const started = performance.now();
  for (let i = 0; i < 100; i++)
    assert.equal((await other.ask(question({ key: `${i}`.padStart(64, '0'), share: false }))).kind, 'none');
  t.diagnostic(`a hundred calls took ${(performance.now() - started).toFixed(0)} ms`);
  await client.query('COMMIT');
  client.release();
  await eventually(async () =>
    (await other.ask(question({ share: false }))).kind === 'answer' ? true : undefined,
  );
});
