// What limits and budgets add to a call, in this process: the time from asking to the decision.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import type { Policy as WholePolicy } from '../../src/config/policy/policy.ts';
import { connectRedis, type RedisConnection } from '../../src/redis/connection.ts';
import { budgetsOf, limitedCall, limitsOf, makeLimits } from '../fixtures/limits.ts';
import { startRedis } from '../fixtures/redis.ts';

type Policy = Pick<WholePolicy, 'limits' | 'budgets'>;

const calls = 10_000;
const many = 1_000_000_000;
const requests = [
  { name: 'ip', per: 'ip', requests: many, window: '1m' },
  { name: 'org', requests: many, window: '1h' },
];
const others = [
  { name: 'tokens', per: 'user', tokens: many, window: '1m' },
  { name: 'running', concurrent: many },
];
const budgets = [
  { name: 'all', usd: 1_000_000, period: 'month' },
  { name: 'user', per: 'user', usd: 100_000, period: 'day' },
];
const policies = {
  nothing: { limits: [], budgets: [] },
  '2 request limits': { limits: limitsOf(...requests), budgets: [] },
  '2 budgets': { limits: [], budgets: budgetsOf(...budgets) },
  '4 limits, 2 budgets': { limits: limitsOf(...requests, ...others), budgets: budgetsOf(...budgets) },
};

async function measure(redis: RedisConnection | null, policy: Policy, atOnce: number) {
  let away = 0;
  const watched: RedisConnection | null = redis && {
    ...redis,
    run: (work) =>
      redis.run(work).catch((error: unknown) => {
        away++;
        throw error;
      }),
  };
  const room = makeLimits(watched);
  await room.start();
  const times: number[] = [];
  let cpu = process.cpuUsage();
  const run = async (count: number) => {
    times.length = 0;
    away = 0;
    cpu = process.cpuUsage();
    let left = count;
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        while (left-- > 0) {
          const started = performance.now();
          const admission = await room.admit(policy, limitedCall());
          times.push(performance.now() - started);
          admission.close({ tokens: 80, usd: 900_000_000n });
          // Calls come by the network: between two of them the process reads what else has come.
          await new Promise(setImmediate);
        }
      }),
    );
  };
  await run(calls / 5);
  await run(calls / (redis ? 5 : 1));
  const used = process.cpuUsage(cpu);
  await room.stop();
  times.sort((a, b) => a - b);
  const at = (share: number) => (times[Math.floor(times.length * share)] ?? 0).toFixed(3);
  return {
    'p50 ms': at(0.5),
    'p99 ms': at(0.99),
    // Round trips that were late or not made: then the process counts alone, which takes no time.
    'Redis away': away,
    'CPU µs a call': ((used.user + used.system) / times.length).toFixed(0),
  };
}

/** Prints a table. */
export async function benchLimits(): Promise<void> {
  const cleanUp: (() => unknown)[] = [];
  const context = {
    after: (work: () => unknown) => void cleanUp.push(work),
    skip: (reason: string) => console.log(reason),
  } as unknown as TestContext;
  const children: ChildProcess[] = [];
  const rows: Record<string, Awaited<ReturnType<typeof measure>>> = {};
  for (const [name, policy] of Object.entries(policies))
    rows[`in memory: ${name}`] = await measure(null, policy, 1);
  const server = await startRedis(context);
  if (server) {
    for (const delay of [0, 0.2, 5]) {
      const file = fileURLToPath(new URL('./redis-proxy.ts', import.meta.url));
      const child = fork(file, [String(server.port), String(delay)]);
      children.push(child);
      const [port] = await once(child, 'message');
      const redis = connectRedis(`redis://127.0.0.1:${port}`, pino({ level: 'silent' }));
      if (redis.client.status !== 'ready') await once(redis.client, 'ready');
      for (const [name, policy] of Object.entries(policies).slice(1)) {
        for (const atOnce of [1, 32])
          rows[`Redis + ${delay} ms, ${atOnce} at once: ${name}`] = await measure(redis, policy, atOnce);
      }
      await redis.close();
    }
  }
  console.log('\nlimits and budgets');
  console.table(rows);
  for (const child of children) child.kill();
  for (const work of cleanUp) await work();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await benchLimits();
