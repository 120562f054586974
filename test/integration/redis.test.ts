import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import { pino } from 'pino';
import type { LimitConfig } from '../../src/config/policy/limits.ts';
import { connectRedis, type RedisConnection } from '../../src/redis/connection.ts';
import { place, question, startCache } from '../fixtures/cache.ts';
import { eventually } from '../fixtures/collector.ts';
import { budgetsOf, limitedCall, limitsOf, makeLimits, requestLimits } from '../fixtures/limits.ts';
import { startRedis } from '../fixtures/redis.ts';

const log = pino({ level: 'silent' });
const perIp: LimitConfig = { name: 'per-ip', per: 'ip', requests: 3, window: 60_000 };
const perOrganization: LimitConfig = { name: 'org', per: 'organization', requests: 5, window: 3_600_000 };

async function connect(t: TestContext, url: string | string[], logger = log): Promise<RedisConnection> {
  const redis = connectRedis(url, logger);
  t.after(() => redis.close());
  if (redis.client.status !== 'ready') await once(redis.client, 'ready');
  return redis;
}

/** Asks for something of Redis, as calls do: null when it is away. */
function ask(redis: RedisConnection): Promise<string | null> {
  return redis.run(() => redis.client.get('weir:asked')).catch(() => null);
}

function keep(redis: RedisConnection): Promise<unknown> {
  return redis.run(() => redis.client.set('weir:asked', 'kept')).catch(() => null);
}

/** How many of `times` requests are allowed. */
async function allowed(
  limits: ReturnType<typeof requestLimits>,
  ip: string,
  times: number,
  organization = 'a',
): Promise<number> {
  let count = 0;
  for (let i = 0; i < times; i++) {
    if ((await limits.consume({ ip, organization })).kind === 'allowed') count++;
  }
  return count;
}

/** Requests that the limits in Redis have counted. */
async function counted({ client }: RedisConnection): Promise<number> {
  const keys = await client.keys('weir:limit:*');
  const values = await Promise.all(keys.map((each) => client.get(each)));
  return values.reduce((sum, each) => sum + Number(each), 0);
}

test('processors count together', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  const processors = await Promise.all([1, 2, 3].map(() => connect(t, server.url)));
  const limits = processors.map((each) => requestLimits([{ ...perIp, requests: 50 }], each));
  const counts = await Promise.all(limits.map((each) => allowed(each, '10.0.0.1', 40)));
  assert.equal(
    counts.reduce((sum, each) => sum + each),
    50,
  );
  const [limit] = limits;
  assert(limit);
  const verdict = await limit.consume({ ip: '10.0.0.1', organization: 'a' });
  assert.equal(verdict.kind, 'limited');
  assert(verdict.state && verdict.state.resetMs > 50_000 && verdict.state.resetMs <= 60_000);
});

test('a refused client eats from the shared limit at most once for each processor', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  const limits = requestLimits([perIp, perOrganization], await connect(t, server.url));
  assert.equal(await allowed(limits, '10.0.0.1', 100), 3);
  assert.equal(await allowed(limits, '10.0.0.2', 100), 2);
});

test('a window that ends in Redis opens again', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  const limits = requestLimits([{ ...perIp, window: 1_000 }], await connect(t, server.url));
  assert.equal(await allowed(limits, '10.0.0.1', 5), 3);
  await eventually(async () => (await allowed(limits, '10.0.0.1', 1)) === 1 || undefined);
});

test('what one call asks is one round trip', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  const writes: string[] = [];
  const proxy = net.createServer((socket) => {
    const upstream = net.connect(server.port, '127.0.0.1');
    socket.on('data', (bytes) => writes.push(bytes.toString('latin1')));
    socket.pipe(upstream).pipe(socket);
    socket.on('error', () => {}).on('close', () => upstream.destroy());
    upstream.on('error', () => socket.destroy());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  t.after(() => proxy.close());
  const address = proxy.address();
  assert(typeof address === 'object' && address);
  const redis = await connect(t, `redis://127.0.0.1:${address.port}`);
  const limits = requestLimits([perIp, perOrganization], redis);
  const cache = await startCache(t, { redis });
  const call = (key: string) =>
    Promise.all([limits.consume({ ip: '1', organization: 'a' }), cache.ask(question({ ...place, key }))]);

  // The connection that listens for messages of other processes is another.
  await once(redis.listener(), 'ready');
  await call('1'.repeat(64));
  writes.length = 0;
  const [, found] = await call('2'.repeat(64));
  assert.equal(found.kind, 'lead');
  assert.equal(writes.length, 1, writes.join('\n---\n'));
  const commands = [...(writes[0] ?? '').matchAll(/^(evalsha|get)\r$/gm)].map(([, name]) => name);
  assert.deepEqual(commands, ['evalsha', 'evalsha', 'evalsha']);
});

for (const [how, away] of [
  ['killed', 'kill'],
  ['that hangs', 'pause'],
] as const) {
  test(`a Redis ${how} costs next to nothing, and is used again when it is back`, async (t) => {
    const server = await startRedis(t);
    if (!server) return;
    const lines: { msg: string; level: number }[] = [];
    const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
    const redis = await connect(t, server.url, logger);
    const limits = requestLimits([perIp], redis);
    await keep(redis);
    assert.equal(await allowed(limits, '10.0.0.1', 2), 2);

    await server[away]();
    const started = performance.now();
    assert.equal(await ask(redis), null);
    assert.equal(await allowed(limits, '10.0.0.2', 10), 3, 'each process limits alone');
    for (let i = 0; i < 1_000; i++) await ask(redis);
    const took = performance.now() - started;
    t.diagnostic(`1,011 calls took ${took.toFixed(0)} ms`);
    assert.deepEqual(
      lines.map(({ level, msg }) => [level, msg]),
      [[40, 'Redis is away: the cache misses, each process limits alone']],
    );

    if (away === 'kill') await server.start();
    else server.resume();
    await eventually(async () => {
      await keep(redis);
      return (await ask(redis)) === 'kept' || undefined;
    });
    const before = await counted(redis);
    await limits.consume({ ip: '10.0.0.1', organization: 'a' });
    assert.equal(await counted(redis), before + 1);
    assert.equal(lines.at(-1)?.msg, 'Redis is back');
  });
}

test('a process that starts while Redis is away goes on alone until it is there', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  await server.stop();
  const redis = connectRedis(server.url, log);
  t.after(() => redis.close());
  const limits = requestLimits([perIp], redis);
  assert.equal(await allowed(limits, '10.0.0.1', 10), 3);
  assert.equal(await ask(redis), null);
  await server.start();
  await eventually(async () => {
    await keep(redis);
    return (await ask(redis)) === 'kept' || undefined;
  });
});

test('a connection that went silent is made anew', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  const redis = await connect(t, server.url);
  const closed = new Promise((resolve) => redis.client.once('close', resolve));
  server.pause();
  await assert.rejects(
    redis.run(() => redis.client.get('x')),
    /no answer within 20 ms/,
  );
  await closed;
  server.resume();
  await eventually(async () => redis.run(() => redis.client.set('x', 'y')).catch(() => undefined));
});

test('an error that Redis answers with does not take it for away', async (t) => {
  const server = await startRedis(t, { args: ['--maxmemory', '1', '--maxmemory-policy', 'noeviction'] });
  if (!server) return;
  const lines: string[] = [];
  const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line).msg) });
  const redis = await connect(t, server.url, logger);
  for (let i = 0; i < 10; i++) await keep(redis);
  assert.equal(await redis.run(() => redis.client.ping()), 'PONG');
  assert.deepEqual(lines, ['Redis refuses a command']);
});

test('closing is quick, whether Redis is there, gone or silent', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  const there = await connect(t, server.url);
  await there.close();
  const silent = await connect(t, server.url);
  const gone = await connect(t, server.url);
  server.pause();
  const started = performance.now();
  await silent.close();
  assert(performance.now() - started < 3_000);
  await server.kill();
  await gone.close();
  await eventually(async () => [there, silent].every(({ client }) => client.status === 'end') || undefined);
});

test('a Cluster with a password is used as one Redis is', async (t) => {
  const server = await startRedis(t, {
    args: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1', '--requirepass', 'p@ss'],
  });
  if (!server) return;
  const url = server.url.replace('//', '//:p%40ss@');
  const node = await connect(t, url);
  await node.client.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  await eventually(
    async () => /cluster_state:ok/.test(String(await node.client.call('CLUSTER', 'INFO'))) || undefined,
  );
  const cluster = await connect(t, [url]);
  const limits = requestLimits([perIp, perOrganization], cluster);
  assert.equal(await allowed(limits, '10.0.0.1', 10), 3);
  const room = makeLimits(cluster);
  const policy = {
    limits: limitsOf({ name: 'tokens', tokens: 100, window: '1m' }, { name: 'running', concurrent: 9 }),
    budgets: budgetsOf({ name: 'b', per: 'user', usd: 1, period: 'day' }),
  };
  const call = limitedCall({ organization: 'a{b}c', asks: { tokens: 40, usd: 600_000_000_000n } });
  const admission = await room.admit(policy, call);
  assert.equal(admission.denial, null);
  assert.equal((await room.admit(policy, call)).denial?.kind, 'budget');
  assert.equal((await room.admit(policy, call)).denial?.kind, 'limit');
  admission.close('free');
  await room.stop();
  await keep(cluster);
  assert.equal(await ask(cluster), 'kept');
  await cluster.close();
});
