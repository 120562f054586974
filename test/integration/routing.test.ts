import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { connectRedis } from '../../src/redis/connection.ts';
import { createConversations } from '../../src/routing/conversations.ts';
import { createPaces } from '../../src/routing/paces.ts';
import { startRedis } from '../fixtures/redis.ts';

const log = pino({ level: 'silent' });

async function until<T>(look: () => Promise<T | null> | T | null): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    await delay(20);
  }
}

test('what one processor measures and keeps, another knows over Redis; without Redis each knows its own', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  const [a, b] = [connectRedis(server.url, log), connectRedis(server.url, log)];
  const [one, two] = [createPaces(a, Date.now), createPaces(b, Date.now)];
  t.after(async () => {
    await Promise.all([one.stop(), two.stop()]);
    await Promise.all([a.close(), b.close()]);
  });
  const call = { provider: 'openai', model: 'gpt-4o', stream: true, good: true, outputTokens: 100 };
  one.learn({ ...call, firstMs: 200, durationMs: 1_200 });
  assert.deepEqual(one.of('openai', 'gpt-4o'), {
    firstMs: 200,
    tokensPerSecond: 100,
    outputTokens: 100,
    calls: 1,
  });
  const shared = await until(() => two.of('openai', 'gpt-4o'));
  assert.equal(shared.firstMs, 200);
  two.learn({ ...call, firstMs: 400, durationMs: 1_400 });
  assert.equal(two.of('openai', 'gpt-4o')?.firstMs, 300);
  assert.equal(two.of('openai', 'gpt-4o')?.calls, 2);

  const [here, there] = [createConversations(a), createConversations(b)];
  const kept = { provider: 'openai', model: 'gpt-4o', cachedTokens: 2_048 };
  here.keep('acme', ['You are helpful.', 'Hi'], kept);
  assert.deepEqual(await until(() => there.find('acme', ['You are helpful.', 'Hi'])), kept);
  assert.equal(await there.find('other', ['You are helpful.', 'Hi']), null);
  assert.equal(await there.find('acme', ['You are helpful.', 'Ho']), null);

  await server.kill();
  assert.deepEqual(await here.find('acme', ['You are helpful.', 'Hi']), kept);
  assert.equal(await there.find('acme', ['You are helpful.', 'Hi']), null);
  assert.equal(one.of('openai', 'gpt-4o')?.calls === undefined, false);
});
