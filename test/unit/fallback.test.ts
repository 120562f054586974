import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createModels } from '../../src/config/models.ts';
import { policySchema } from '../../src/config/policy/policy.ts';
import { configSchema } from '../../src/config/schema.ts';
import { arrive } from '../../src/exchange/arrival.ts';
import { aliasesOf } from '../../src/exchange/model-list.ts';
import { createReader } from '../../src/exchange/reader.ts';
import { retryAfterMs } from '../../src/exchange/retry-after.ts';
import { serversFor } from '../../src/exchange/servers.ts';
import { createConversations } from '../../src/routing/conversations.ts';
import { openHouse } from '../fixtures/house.ts';
import { testRouter } from '../fixtures/router.ts';

const { providers, models } = configSchema.parse({
  providers: {
    openai: { api: 'openai', base_url: 'https://api.openai.com/v1', api_key: 'a' },
    eu: { api: 'openai', base_url: 'https://eu.api.openai.com/v1', api_key: 'b' },
    anthropic: { api: 'anthropic', base_url: 'https://api.anthropic.com', api_key: 'c' },
  },
  models: {
    spread: {
      deployments: [
        { provider: 'openai', model: 'gpt-4o', weight: 3 },
        { provider: 'eu', model: 'gpt-4o' },
      ],
      fallback: [{ provider: 'anthropic', model: 'claude-sonnet-4-5' }],
    },
  },
});

async function house(
  now = () => 1_000_000,
  meeting: { worker: number | null; address: string | null } | null = null,
) {
  const { router, paces } = await testRouter({ now });
  const conversations = createConversations(null);
  const routing = { router, paces, conversations, replay: () => {}, random: () => 0 };
  const reader = createReader();
  const { services: base } = openHouse({ now });
  const services = { ...base, ...meeting, providers, models: createModels(models), routing, reader };

  async function order(prompt: string, facts: object = {}, planned?: string[]): Promise<string[]> {
    const head = {
      ...(planned && { planned: new Set(planned) }),
      method: 'POST',
      path: '/v1/chat/completions',
      headers: new Map([['authorization', 'Bearer weir_sk_acme']]),
      ip: '',
      ended: false,
    };
    const identity = { ...services.identity, policy: () => policySchema.parse({}) };
    const arrived = arrive(head, { providers, identity });
    assert(arrived.kind === 'arrived' && arrived.arrival.dialect);
    const { arrival } = arrived;
    const body = { model: 'spread', messages: [{ role: 'user', content: prompt }], ...facts };
    const bytes = Buffer.from(JSON.stringify(body));
    const read = await reader.request(arrived.arrival.dialect, bytes, arrival.target.endpoint);
    assert(read);
    const found = await serversFor({ head, arrival, facts: read, place: null, bytes }, services);
    assert(found.kind === 'served', JSON.stringify(found));
    return found.servers.map((each) => each.arrival.target.provider);
  }
  return { order, paces };
}

test('calls are spread by weight, a conversation stays with one, and the stand-in comes last', async () => {
  const { order } = await house();
  const firsts: string[] = [];
  for (let at = 0; at < 400; at++) {
    const [first, second, third] = await order(`Conversation ${at}`);
    firsts.push(first ?? '');
    assert.deepEqual([first, second].sort(), ['eu', 'openai']);
    assert.equal(third, 'anthropic');
  }
  const share = firsts.filter((each) => each === 'openai').length / firsts.length;
  assert(share > 0.68 && share < 0.82, String(share));
  const [first] = await order('Conversation 1');
  const later = [
    { role: 'user', content: 'Conversation 1' },
    { role: 'assistant', content: 'Yes?' },
    { role: 'user', content: 'Go on.' },
  ];
  assert.equal((await order('', { messages: later }))[0], first);
});

test('who fails three times, or asks for it, is left alone for its time and taken back by itself', async () => {
  let clock = 1_000_000;
  const { order, paces } = await house(() => clock);
  const failed = {
    provider: 'openai',
    model: 'gpt-4o',
    stream: false,
    outcome: 'away' as const,
    organization: 'acme',
  };
  const nothing = { firstMs: 0, durationMs: 0, outputTokens: 0 };
  for (let at = 0; at < 2; at++) paces.learn({ ...failed, ...nothing });
  assert.equal((await order('Hello')).length, 3);
  paces.learn({ ...failed, ...nothing });
  assert.deepEqual(await order('Hello'), ['eu', 'anthropic']);
  paces.rest('eu', 'gpt-4o', 10_000);
  assert.deepEqual(await order('Hello'), ['anthropic']);
  clock += 10_001;
  assert.deepEqual(await order('Hello'), ['eu', 'anthropic']);
  clock += 20_000;
  assert.equal((await order('Hello')).length, 3);
  paces.rest('eu', 'gpt-4o', 10_000);
  paces.rest('openai', 'gpt-4o', 10_000);
  paces.rest('anthropic', 'claude-sonnet-4-5', 10_000);
  // Rather one that is tired than none.
  assert.equal((await order('Hello')).length, 3);
});

test('an Envoy elsewhere is told of those that it can try, and of the first where it cannot', async () => {
  const { order } = await house(undefined, { worker: null, address: '10.0.0.7:9443' });
  const all = await order('Hello', {}, ['openai', 'eu', 'anthropic']);
  assert.equal(all.length, 3);
  const [first = '', second = ''] = all;
  assert.deepEqual(await order('Hello', {}, [first, 'anthropic']), [first, 'anthropic']);
  assert.deepEqual(await order('Hello', {}, [second, 'anthropic']), [first]);
  assert.deepEqual(await order('Hello'), [first]);
  // Who does not know its own address cannot be met again.
  const { order: alone } = await house(undefined, { worker: null, address: null });
  assert.deepEqual(await alone('Hello', {}, all), [first]);
});

test('who cannot be asked in its own words is not among those who are tried', async () => {
  const { order } = await house();
  assert.deepEqual((await order('Hello', { logprobs: true })).sort(), ['eu', 'openai']);
});

test('retry-after is read in seconds, milliseconds and as a date, and is bounded', () => {
  const now = Date.parse('2026-11-25T00:00:00Z');
  const read = (headers: Record<string, string>) => retryAfterMs(new Map(Object.entries(headers)), now);
  assert.equal(read({ 'retry-after': '2' }), 2_000);
  assert.equal(read({ 'retry-after-ms': '250', 'retry-after': '2' }), 250);
  assert.equal(read({ 'retry-after': 'Wed, 25 Nov 2026 00:00:30 GMT' }), 30_000);
  assert.equal(read({ 'retry-after': '100000' }), 600_000);
  for (const text of ['', '0', '-1', 'soon', 'NaN']) assert.equal(read({ 'retry-after': text }), null);
  fc.assert(
    fc.property(fc.string(), (text) => {
      const ms = read({ 'retry-after': text });
      assert(ms === null || (ms > 0 && ms <= 600_000));
    }),
  );
});

test('a name that several serve is in the lists of models', () => {
  assert.deepEqual(aliasesOf(models), [{ id: 'spread', provider: 'weir' }]);
});
