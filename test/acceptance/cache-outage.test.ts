import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startProvider } from '../fixtures/provider.ts';
import { startRedis } from '../fixtures/redis.ts';
import { startRedisCluster } from '../fixtures/redis-cluster.ts';
import { startWeir } from '../fixtures/weir.ts';

const callers = 8;
const questions = 50;

/** weir with two processors on this Redis, under load of questions that are asked again and again. */
async function underLoad(t: TestContext, redisUrl: string | string[]) {
  const provider = await startProvider({ key: 'k' });
  t.after(() => provider.stop());
  const weir = await startWeir({
    config: {
      providers: { openai: { base_url: `${provider.url}/v1`, api_key: 'k' } },
      redis: { url: redisUrl },
      processor: { workers: 2 },
      // Answers are to come from Redis alone.
      retention: { answers: '0s' },
      log: { level: 'warn' },
    },
  });
  let running = true;
  let calls: { ms: number; cache: string }[] = [];
  const failures: string[] = [];
  let number = 0;
  const call = async () => {
    const content = `Question ${number++ % questions}?`;
    const started = performance.now();
    const response = await fetch(`${weir.egress}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${weir.callKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content }] }),
    });
    const text = await response.text();
    if (response.status !== 200) failures.push(`${response.status} ${text}`);
    calls.push({ ms: performance.now() - started, cache: response.headers.get('x-weir-cache') ?? '' });
  };
  const load = Array.from({ length: callers }, async () => {
    while (running) await call().catch((error: unknown) => failures.push(String(error)));
  });
  const stop = async () => {
    running = false;
    await Promise.all(load);
  };
  t.after(async () => {
    await stop();
    await weir.stop();
  });
  return {
    failures,
    /** Waits until of the last calls nearly all were hits. */
    async untilHits(): Promise<void> {
      const deadline = Date.now() + 60_000;
      for (;;) {
        const last = calls.slice(-200);
        const hits = last.filter(({ cache }) => cache === 'hit').length;
        if (last.length === 200 && hits >= 190) return;
        if (Date.now() > deadline) throw new Error(`${hits} hits of the last ${last.length} calls`);
        await delay(50);
      }
    },
    /** Waits for so many more calls. */
    async more(count: number): Promise<void> {
      const until = calls.length + count;
      while (calls.length < until) await delay(20);
    },
    /** Tells how the calls since the last time went. */
    tell(what: string): void {
      const times = calls.map(({ ms }) => ms).sort((a, b) => a - b);
      const part = (share: number) => (times[Math.floor((times.length - 1) * share)] ?? 0).toFixed(1);
      const hits = calls.filter(({ cache }) => cache === 'hit').length;
      t.diagnostic(
        `${what}: ${calls.length} calls, ${hits} hits, p50 ${part(0.5)} p99 ${part(0.99)} max ${part(1)} ms`,
      );
      calls = [];
    },
    stop,
  };
}

test('Redis hangs, is killed and comes back empty under load: no call fails, and hits come back', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  const load = await underLoad(t, server.url);
  await load.untilHits();
  load.tell('warming up');
  await load.more(500);
  load.tell('Redis there');
  server.pause();
  await load.more(300);
  load.tell('Redis hangs');
  server.resume();
  await load.untilHits();
  load.tell('Redis goes on');
  await server.kill();
  await load.more(300);
  load.tell('Redis killed');
  await server.start();
  await load.untilHits();
  load.tell('Redis back, empty');
  await load.stop();
  assert.deepEqual(load.failures, []);
});

test('a node of a Cluster fails over under load: no call fails, and hits come back', async (t) => {
  const cluster = await startRedisCluster(t);
  if (!cluster) return;
  const load = await underLoad(t, cluster.urls);
  await load.untilHits();
  load.tell('warming up');
  await load.more(500);
  load.tell('all nodes there');
  const killed = await cluster.killMasterOf('default');
  await cluster.failedOver('default', killed);
  load.tell('failing over');
  await load.untilHits();
  load.tell('failed over');
  await load.stop();
  assert.deepEqual(load.failures, []);
});
