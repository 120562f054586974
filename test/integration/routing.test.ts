import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { connectRedis } from '../../src/redis/connection.ts';
import { createConversations } from '../../src/routing/conversations.ts';
import { createPaces, type Measured } from '../../src/routing/paces.ts';
import { startRedis } from '../fixtures/redis.ts';

const log = pino({ level: 'silent' });
const model = ['openai', 'gpt-4o'] as const;
const call: Measured = {
  ...{ provider: 'openai', model: 'gpt-4o', organization: 'acme', stream: true, outcome: 'good' },
  ...{ firstMs: 200, durationMs: 1_200, outputTokens: 100 },
};

async function until<T>(look: () => Promise<T | null> | T | null): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    await delay(20);
  }
}

test('what one processor measures, another knows over Redis; without Redis each goes on by itself', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  // Their clocks differ.
  const clocks = [Date.now, () => Date.now() + 3_600_000, Date.now];
  const connections = clocks.map(() => connectRedis(server.url, log));
  const [one, two, three] = connections.map((each, at) => createPaces(each, clocks[at] ?? Date.now, 20));
  assert(one && two && three);
  t.after(async () => {
    await Promise.all([one.stop(), two.stop(), three.stop()]);
    await Promise.all(connections.map((each) => each.close()));
  });
  const calls = (paces: typeof one, count: number) =>
    until(() => ((paces.of(...model)?.calls ?? 0) >= count ? paces.of(...model) : null));

  one.learn(call);
  assert.deepEqual(round(one.of(...model)), {
    firstMs: 200,
    tokensPerSecond: 100,
    outputTokens: 100,
    calls: 1,
  });
  await calls(two, 1);
  two.learn({ ...call, firstMs: 400, durationMs: 1_400 });
  two.learn({ ...call, firstMs: 900, durationMs: 1_900 });
  // 200, 400 and 900, each with four fifths of the weight of the next.
  const mean = Math.round((200 * 0.64 + 400 * 0.8 + 900) / (0.64 + 0.8 + 1));
  assert.equal(round(two.of(...model))?.firstMs, mean);
  // What misses the deadline of Redis on a busy machine may count twice.
  for (const each of [one, three]) {
    const told = await calls(each, 3);
    assert(told && Math.abs(told.firstMs - mean) < 150, `${told?.firstMs}`);
  }

  await server.kill();
  one.learn(call);
  assert((one.of(...model)?.calls ?? 0) >= 4);
  two.learn(call);
  await server.start();
  // What was not told while it was away is told now.
  for (const each of [one, two, three])
    await until(() => ((each.of(...model)?.calls ?? 0) >= 2 ? true : null));
  await calls(three, 2);
});

test('a model that fails here rests everywhere, and one call that goes well ends it; refusals are of one organization', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  const connections = [connectRedis(server.url, log), connectRedis(server.url, log)];
  const [one, two] = connections.map((each) => createPaces(each, Date.now, 20));
  assert(one && two);
  t.after(async () => {
    await Promise.all([one.stop(), two.stop()]);
    await Promise.all(connections.map((each) => each.close()));
  });
  const away: Measured = { ...call, outcome: 'away' };
  one.learn(away);
  one.learn(away);
  two.learn(away);
  assert.equal(one.ailing(...model, null), null);
  // Three in a row, two here and one there.
  const reason = await until(() => one.ailing(...model, null));
  assert.match(reason, /openai failed \d+ times in a row/);
  await until(() => two.ailing(...model, 'acme'));
  two.learn(call);
  assert.equal(two.ailing(...model, null), null);
  await until(() => (one.ailing(...model, null) === null ? true : null));

  for (let times = 0; times < 3; times++) one.learn({ ...call, outcome: 'refused' });
  assert.match(await until(() => two.ailing(...model, 'acme')), /refused it to your organization \d+ times/);
  assert.deepEqual([two.ailing(...model, 'other'), two.ailing(...model, null)], [null, null]);
  two.learn(call);
  await until(() => (one.ailing(...model, 'acme') === null ? true : null));
});

test('whom a provider asks one processor to leave alone, all leave alone for as long; without Redis each by itself', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  // Their clocks differ, and the first tells at once: its own time to ask does not come.
  const clocks = [Date.now, () => Date.now() + 3_600_000];
  const connections = clocks.map(() => connectRedis(server.url, log));
  await Promise.all(connections.map(({ client }) => client.status === 'ready' || once(client, 'ready')));
  const [one, two] = connections.map((each, at) =>
    createPaces(each, clocks[at] ?? Date.now, [60_000, 20][at]),
  );
  assert(one && two);
  t.after(async () => {
    await Promise.all([one.stop(), two.stop()]);
    await Promise.all(connections.map((each) => each.close()));
  });
  one.rest(...model, 300_000);
  const told = await until(() => two.ailing(...model, null));
  const seconds = Number(/left alone with it for (\d+) s/.exec(told)?.[1]);
  assert(seconds > 240 && seconds <= 301, told);
  // A shorter wish, or a good answer that was under way, does not end it.
  two.rest(...model, 1_000);
  two.learn(call);
  assert(two.ailing(...model, null));

  await server.kill();
  one.rest('openai', 'gpt-4o-mini', 300_000);
  assert(one.ailing('openai', 'gpt-4o-mini', null));
  assert.equal(two.ailing('openai', 'gpt-4o-mini', null), null);
  await server.start();
  // Told again when its time to ask comes; here by the next that rests.
  await until(() => {
    one.rest('anthropic', `claude-${Math.random()}`, 300_000);
    return two.ailing('openai', 'gpt-4o-mini', null);
  });
});

test('which model has a conversation in its prompt cache is known to all, within the organization', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  const [a, b] = [connectRedis(server.url, log), connectRedis(server.url, log)];
  t.after(() => Promise.all([a.close(), b.close()]));
  await Promise.all([a, b].map(({ client }) => client.status === 'ready' || once(client, 'ready')));
  const [here, there] = [createConversations(a), createConversations(b)];
  const kept = { provider: 'openai', model: 'gpt-4o', cachedTokens: 2_048 };
  const opening = ['You are helpful.', 'Hi'];
  // What misses the deadline of Redis on a busy machine is not tried again: here it is.
  const known = await until(() => {
    here.keep('acme', opening, kept);
    return there.find('acme', opening);
  });
  assert.deepEqual(known, kept);
  assert.equal(await there.find('other', opening), null);
  assert.equal(await there.find('acme', ['You are helpful.', 'Ho']), null);

  // What another process knows is newer than what this one remembers.
  const moved = { ...kept, model: 'gpt-4o-mini' };
  await until(async () => {
    there.keep('acme', opening, moved);
    return (await here.find('acme', opening))?.model === 'gpt-4o-mini' ? true : null;
  });

  await server.kill();
  assert.equal((await here.find('acme', opening))?.provider, 'openai');
  assert.equal(await there.find('acme', ['You are helpful.', 'Ho']), null);
});

function round(pace: ReturnType<ReturnType<typeof createPaces>['of']>) {
  return (
    pace && {
      ...pace,
      firstMs: Math.round(pace.firstMs),
      tokensPerSecond: Math.round(pace.tokensPerSecond),
      outputTokens: Math.round(pace.outputTokens),
    }
  );
}
