import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { Redis } from 'ioredis';
import OpenAI from 'openai';
import { eventually } from '../fixtures/collector.ts';
import { type HeldProvider, startHeldProvider } from '../fixtures/held-provider.ts';
import { type RedisServer, startRedis } from '../fixtures/redis.ts';
import { startWeir, type TestWeir } from '../fixtures/weir.ts';

const crowd = 200;
const workers = 4;
/** A machine that has so much to do that Redis is late shows nothing of single flight: then once more. */
const maxAttempts = 5;

let server: RedisServer | null;
let provider: HeldProvider;
let weir: TestWeir;
let redis: Redis;
const cleanUp: (() => unknown)[] = [];

// Four processors behind one Envoy and one Redis, and a provider that answers when it is told.
before(async () => {
  const t = { after: (work: () => unknown) => cleanUp.push(work), skip: () => {} } as unknown as TestContext;
  server = await startRedis(t);
  if (!server) return;
  provider = await startHeldProvider(t);
  weir = await startWeir({
    config: {
      providers: { openai: { base_url: provider.url, api_key: 'k' } },
      redis: { url: server.url },
      processor: { workers },
      log: { level: 'warn' },
    },
  });
  redis = new Redis(server.url);
});
after(async () => {
  redis?.disconnect();
  await weir?.stop();
  for (const work of cleanUp.reverse()) await work();
});

let questions = 0;

/** Does it with a question of its own, again when Redis was late for the machine has too much to do. */
async function scene(t: TestContext, play: (question: string) => Promise<void>): Promise<void> {
  if (!server) return t.skip('redis-server is not installed');
  for (let attempt = 1; ; attempt++) {
    const late = () => weir.output().split('Redis is away').length;
    const before = late();
    try {
      // What is not expected is not to hold up the rest.
      provider.answerFrom(provider.calls.length + 2);
      // A process that was killed has left its claim.
      const left = await claims();
      if (left.length > 0) await redis.del(left);
      return await play(`Question ${++questions}?`);
    } catch (error) {
      if (late() === before || attempt === maxAttempts) throw error;
      t.diagnostic('Redis was late: once more');
    }
  }
}

const client = (maxRetries = 0) =>
  new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey: weir.callKey, maxRetries, timeout: 60_000 });

const ask = (content: string) => ({
  model: 'gpt-4o',
  messages: [{ role: 'user' as const, content }],
});

function askPlain(content: string, maxRetries = 0) {
  return client(maxRetries).chat.completions.create(ask(content)).withResponse();
}

/** A stream as the SDK gives it. */
async function askStreamed(content: string, onFirst: () => void, maxRetries = 0) {
  const { data, response } = await client(maxRetries)
    .chat.completions.create({ ...ask(content), stream: true })
    .withResponse();
  let text = '';
  let first = true;
  for await (const chunk of data) {
    if (first) onFirst();
    first = false;
    text += chunk.choices[0]?.delta.content ?? '';
  }
  return { text, response };
}

/** A crowd of streams, and a promise for when each of them has begun. */
function crowdOfStreams(content: string, maxRetries = 0) {
  let begun = 0;
  const everyone = Promise.withResolvers<void>();
  const begin = () => {
    if (++begun === crowd) everyone.resolve();
  };
  const answers = Array.from({ length: crowd }, () => askStreamed(content, begin, maxRetries));
  return { answers, everyone: everyone.promise };
}

/** How many of each. */
function tally(values: (string | null | undefined)[]): Record<string, number> {
  const groups = Map.groupBy(values, (value) => String(value));
  return Object.fromEntries([...groups].map(([value, all]) => [value, all.length]));
}

/** The rows of these calls. */
async function rowsOf(responses: Response[]) {
  const ids = new Set(responses.map(({ headers }) => headers.get('x-weir-id')));
  return eventually(async () => {
    const rows = (await weir.rows()).filter(({ id, outcome }) => ids.has(id) && outcome !== 'unsettled');
    return rows.length === ids.size ? rows : undefined;
  }, 30_000);
}

test('200 equal plain calls over four processes are one call to the provider', (t) =>
  scene(t, async (question) => {
    const from = provider.calls.length;
    const answers = Array.from({ length: crowd }, () => askPlain(question));
    await (await provider.call(from)).finish();
    const got = await Promise.all(answers);
    assert.equal(provider.calls.length, from + 1);
    assert.equal(new Set(got.map(({ data }) => JSON.stringify(data.choices))).size, 1);
    const results = tally(got.map(({ response }) => response.headers.get('x-weir-cache')));
    t.diagnostic(JSON.stringify(results));
    assert.equal(results.miss, 1);
    assert.equal((results.coalesced ?? 0) + (results.hit ?? 0), crowd - 1);
    assert.equal(new Set(got.map(({ response }) => response.headers.get('x-weir-cache-key'))).size, 1);
    const rows = await rowsOf(got.map(({ response }) => response));
    const [paid, ...more] = rows.filter(({ cost_usd }) => Number(cost_usd) > 0);
    assert.equal(more.length, 0);
    assert(rows.every((row) => row === paid || row.saved_usd === paid.cost_usd));
  }));

test('200 equal streams over four processes are one, and everyone has it while it runs', (t) =>
  scene(t, async (question) => {
    const from = provider.calls.length;
    const { answers, everyone } = crowdOfStreams(question);
    const call = await provider.call(from);
    await call.next();
    await call.next();
    // The provider says no more until all have what it has said.
    await Promise.race([everyone, provider.call(from + 1)]);
    for (const each of provider.calls.slice(from)) await each.finish();
    const got = await Promise.all(answers);
    assert.equal(provider.calls.length, from + 1);
    assert.deepEqual(tally(got.map(({ text }) => text)), { [got[0]?.text ?? '']: crowd });
    assert.match(got[0]?.text ?? '', /^0: call \d+ .*away\.$/);
    const results = tally(got.map(({ response }) => response.headers.get('x-weir-cache')));
    assert.deepEqual(results, { miss: 1, coalesced: crowd - 1 });
    const rows = await rowsOf(got.map(({ response }) => response));
    assert.deepEqual(tally(rows.map(({ outcome }) => outcome)), { completed: crowd });
    assert.equal(rows.filter(({ cost_usd }) => Number(cost_usd) > 0).length, 1);
  }));

const claims = () => redis.keys('weir:{*}:flight:*');

/** The process that makes the call that others wait for. */
async function leader(): Promise<number> {
  const [key] = await claims();
  return Number(/^\d+/.exec((await redis.get(key ?? '')) ?? '')?.[0]);
}

test('the leading process is killed before the answer: at most two calls, and everyone has an answer', (t) =>
  scene(t, async (question) => {
    const from = provider.calls.length;
    const answers = Array.from({ length: crowd }, () => askPlain(question, 10));
    const first = await provider.call(from);
    process.kill(await leader(), 'SIGKILL');
    const second = await provider.call(from + 1);
    await Promise.all([first.finish(), second.finish()]);
    const got = await Promise.all(answers);
    assert.equal(provider.calls.length, from + 2);
    const contents = tally(got.map(({ data }) => data.choices[0]?.message.content));
    t.diagnostic(JSON.stringify(contents));
    const marks = new RegExp(`^0: call (${from}|${from + 1}) .*away\\.$`);
    for (const content of Object.keys(contents)) assert.match(content, marks);
  }));

test('the leading process is killed amid a stream: whole or visibly broken, at most two calls, never a mix', (t) =>
  scene(t, async (question) => {
    const from = provider.calls.length;
    const { answers, everyone } = crowdOfStreams(question, 10);
    const settled = Promise.all(answers.map((each) => each.catch(() => 'broken')));
    const first = await provider.call(from);
    await first.next();
    await first.next();
    await Promise.race([everyone, provider.call(from + 1)]);
    process.kill(await leader(), 'SIGKILL');
    await first.finish();
    const got = await settled;
    const late = Array.from({ length: 10 }, () => askStreamed(question, () => {}, 10));
    await (await provider.call(from + 1)).finish();
    const lateGot = await Promise.all(late);
    assert.equal(provider.calls.length, from + 2);
    const texts = tally(got.map((each) => (typeof each === 'string' ? each : each.text)));
    t.diagnostic(JSON.stringify(texts));
    for (const text of Object.keys(texts))
      assert.match(text, new RegExp(`^(broken|0: call ${from} .*away\\.)$`));
    for (const { text } of lateGot) assert.match(text, new RegExp(`^0: call ${from + 1} .*away\\.$`));
  }));

test('the caller of the leading call hangs up: those who wait get another, those amid the stream see it break', (t) =>
  scene(t, async (question) => {
    const from = provider.calls.length;
    const hanging = new AbortController();
    const options = { signal: hanging.signal };
    const first = client(10)
      .chat.completions.create({ ...ask(question), stream: true }, options)
      .then((stream) => stream.toReadableStream())
      .catch((error: unknown) => error);
    const call = await provider.call(from);
    await call.next();
    await call.next();
    const begun = Promise.withResolvers<void>();
    const amid = askStreamed(question, begun.resolve, 10).catch(() => 'broken');
    await begun.promise;
    hanging.abort();
    await Promise.all([call.hungUp, first]);
    assert.equal(await amid, 'broken');
    const next = askStreamed(question, () => {}, 10);
    await (await provider.call(from + 1)).finish();
    assert.match((await next).text, new RegExp(`^0: call ${from + 1} .*away\\.$`));
    assert.equal(provider.calls.length, from + 2);
  }));
