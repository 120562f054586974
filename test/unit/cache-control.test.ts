import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policySchema } from '../../src/config/policy/policy.ts';
import { cacheControl } from '../../src/exchange/cache-control.ts';
import { callHead, chatAnswer, chatBody, openHouse } from '../fixtures/house.ts';

/** A house with a clock, and whether a call like this is answered from the cache. */
function kept(cache: object = {}) {
  let clock = 1_700_000_000_000;
  const house = openHouse({ cache, now: () => clock });
  let asked = 0;
  return {
    ...house,
    tick: (ms: number) => {
      clock += ms;
    },
    async ask(headers: Record<string, string> = {}, body: object = {}) {
      const reply = await house.call(callHead(headers), chatBody('Kept?', body), () =>
        chatAnswer(`${++asked}`),
      );
      await house.settled();
      return reply;
    },
  };
}

/** `hit`, `asked`, or the code of the refusal. */
async function result(reply: Promise<{ asked: boolean; headers: Record<string, string> }>): Promise<string> {
  const { asked, headers } = await reply;
  return headers['x-weir-error'] ?? (asked ? 'asked' : (headers['x-weir-cache'] ?? ''));
}

test('x-weir-cache: use, refresh, bypass, only', async () => {
  const { ask } = kept();
  assert.equal(await result(ask({ 'x-weir-cache': 'only' })), 'cache_miss');
  assert.equal(await result(ask({ 'x-weir-cache': 'bypass' })), 'asked');
  assert.equal(await result(ask({ 'x-weir-cache': 'only' })), 'cache_miss', 'bypass keeps nothing');
  assert.equal(await result(ask({ 'x-weir-cache': 'Use' })), 'asked');
  assert.equal(await result(ask({ 'x-weir-cache': 'only' })), 'hit');
  assert.equal(await result(ask({ 'x-weir-cache': 'refresh' })), 'asked');
  assert.match((await ask()).text, /"3"/, 'refresh keeps what it brings');
  assert.equal(await result(ask({ 'x-weir-cache': 'bypass' })), 'asked');
  assert.match((await ask()).text, /"3"/);
});

test('only never goes to the provider, whatever the policy, and says so in the form of the dialect', async () => {
  for (const mode of ['off', 'shadow', 'all']) {
    const { ask } = kept({ mode });
    const reply = await ask({ 'x-weir-cache': 'only' });
    assert.deepEqual([reply.status, JSON.parse(reply.text).error.code], [504, 'cache_miss']);
  }
  assert.equal(await result(kept().ask({ 'cache-control': 'only-if-cached' })), 'cache_miss');
  const head = callHead({ 'x-weir-cache': 'only' }, '/v1beta/models/gemini-2.5-flash:generateContent');
  const gemini = await openHouse().call(head, { contents: [] }, () => assert.fail('asked'));
  assert.deepEqual(JSON.parse(gemini.text).error.status, 'UNAVAILABLE');
});

test('a header that says nothing sensible is refused, with what it may say', async () => {
  const wrong = await kept().ask({ 'x-weir-cache': 'bypas' });
  assert.deepEqual([wrong.status, wrong.headers['x-weir-error']], [400, 'invalid_header']);
  assert.match(wrong.text, /use, refresh, bypass, only/);
  assert.equal(await result(kept().ask({ 'x-weir-cache-ttl': '1h' })), 'invalid_header');
});

test('max-age is the age that the caller accepts, min-fresh the time that an answer must still have', async () => {
  const { ask, tick } = kept({ ttl: '100s' });
  await ask();
  tick(10_500);
  const hit = await ask();
  assert.equal(hit.headers.age, '10');
  assert.equal(await result(ask({ 'cache-control': 'max-age=11' })), 'hit');
  assert.equal(await result(ask({ 'cache-control': 'private, Max-Age="11"' })), 'hit');
  assert.equal(await result(ask({ 'cache-control': 'min-fresh=89' })), 'hit');
  assert.equal(await result(ask({ 'cache-control': 'min-fresh=90' })), 'asked');
  tick(20_000);
  assert.equal(await result(ask({ 'cache-control': 'max-age=20' })), 'hit', 'the newer one is kept');
  assert.equal(await result(ask({ 'cache-control': 'max-age=19' })), 'asked');
  assert.equal(await result(ask({ 'cache-control': 'max-age=0' })), 'asked');
});

test('no-cache reads nothing and keeps the answer; no-store reads, as HTTP has it, and keeps nothing', async () => {
  const { ask } = kept();
  assert.equal(await result(ask({ 'cache-control': 'no-store' })), 'asked');
  assert.equal(await result(ask({ 'cache-control': 'no-cache' })), 'asked');
  assert.equal(await result(ask()), 'hit');
  assert.equal(await result(ask({ 'cache-control': 'no-store' })), 'hit');
  assert.equal(await result(ask({ 'cache-control': 'no-cache, no-store' })), 'asked');
  assert.match((await ask()).text, /"2"/);
});

test('an answer is kept as long as the policy says, or the caller', async () => {
  const { ask, tick } = kept({ ttl: '100s' });
  await ask({ 'x-weir-cache-ttl': '5' });
  tick(4_999);
  assert.equal(await result(ask()), 'hit');
  tick(2);
  assert.equal(await result(ask()), 'asked');
  tick(99_000);
  assert.equal(await result(ask()), 'hit');
  tick(2_000);
  assert.equal(await result(ask({ 'x-weir-cache-ttl': '0' })), 'asked');
  assert.equal(await result(ask()), 'asked');
});

test('deterministic keeps answers to requests with temperature 0 or a seed', async () => {
  for (const [body, expected] of [
    [{}, 'asked'],
    [{ temperature: 1 }, 'asked'],
    [{ temperature: 0 }, 'hit'],
    [{ seed: 7 }, 'hit'],
  ] as const) {
    const { ask } = kept({ mode: 'deterministic' });
    await ask({}, body);
    assert.equal(await result(ask({}, body)), expected, JSON.stringify(body));
  }
});

test('only the models of the policy are kept, as they are asked for', async () => {
  const { ask } = kept({ models: ['gpt-4o*', 'o?'] });
  for (const [model, expected] of [
    ['gpt-4o-mini', 'hit'],
    ['o3', 'hit'],
    ['o3-mini', 'asked'],
    ['gpt-4', 'asked'],
  ] as const) {
    await ask({}, { model });
    assert.equal(await result(ask({}, { model })), expected, model);
  }
});

test('an answer that is larger than the policy allows is not kept, plain or streamed', async () => {
  for (const stream of [false, true]) {
    const house = openHouse({ cache: { max_bytes: '2KiB' } });
    const call = (content: string) =>
      house.call(callHead(), chatBody('Large?', { stream, content }), () => chatAnswer(content, stream));
    await call('x'.repeat(3_000));
    assert((await call('x'.repeat(3_000))).asked);
    await call('x');
    assert(!(await call('x')).asked);
    await house.settled();
    assert(house.held.take(64 * 1024 * 1024));
  }
});

test('shadow gives nothing and keeps no answer, and counts what would have been', async () => {
  const house = kept({ mode: 'shadow' });
  for (let i = 0; i < 3; i++) assert.equal((await house.ask()).headers['x-weir-cache'], 'bypass');
  assert.deepEqual(
    house.counted.map(([, what]) => what),
    ['would_be_hit', 'would_be_hit'],
  );
  assert.match(house.records[0]?.cacheKey ?? '', /^[0-9a-f]{64}$/);
});

test('the reply tells the key by which the API knows the answer', async () => {
  const { ask, records } = kept();
  const [first, second] = [await ask(), await ask()];
  assert.match(first.headers['x-weir-cache-key'] ?? '', /^[0-9a-f]{64}$/);
  assert.equal(first.headers['x-weir-cache-key'], second.headers['x-weir-cache-key']);
  assert.equal(first.headers['x-weir-cache-key'], records[0]?.cacheKey);
});

test('what may not be repeated is neither read nor kept', () => {
  const { cache } = policySchema.parse({});
  const facts = { repeatable: false, deterministic: true, model: 'm' };
  const { read, write, share } = cacheControl(new Map(), cache, facts);
  assert.deepEqual([read, write, share], [false, false, false]);
});
