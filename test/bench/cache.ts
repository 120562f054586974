// What the cache by itself takes, in this process: the time from asking to a kept answer, and the memory of an entry.
import type { TestContext } from 'node:test';
import { keptAnswer, question, startCache } from '../fixtures/cache.ts';
import { startPostgres, testDatabase } from '../fixtures/postgres.ts';
import { startRedis } from '../fixtures/redis.ts';
import { connect } from '../fixtures/redis-connection.ts';

const entries = 5_000;
const keyOf = (number: number) => number.toString(16).padStart(64, '0');

/** An answer of a kilobyte, in forty pieces; text, so that it can be packed. */
function answer(number: number) {
  const words = Array.from({ length: 40 }, (_, at) => `data: {"word":"${number * 31 + at * 17}"}\n\n`);
  return keptAnswer({ pieces: words.map((word) => Buffer.from(word)) });
}

type Cache = Pick<Awaited<ReturnType<typeof startCache>>, 'ask' | 'keep'>;

async function fill(cache: Cache): Promise<void> {
  for (let number = 0; number < entries; number++) {
    const place = { organization: 'acme', key: keyOf(number) };
    await cache.keep({ place, dialect: 'openai-chat', answer: answer(number), flight: null });
  }
}

/** Looks each entry up once. */
async function look(cache: Cache, atOnce: number): Promise<Record<string, string>> {
  const times: number[] = [];
  let next = 0;
  let hits = 0;
  const cpu = process.cpuUsage();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (next < entries) {
        const key = keyOf(next++);
        const started = performance.now();
        const found = await cache.ask(question({ key, share: false }));
        times.push(performance.now() - started);
        if (found.kind === 'answer') hits++;
        // Calls come by the network: between two of them the process reads what else has come.
        await new Promise(setImmediate);
      }
    }),
  );
  const used = process.cpuUsage(cpu);
  times.sort((a, b) => a - b);
  const at = (share: number) => (times[Math.floor(times.length * share)] ?? 0).toFixed(3);
  const seconds = (used.user + used.system) / 1e6;
  return {
    'p50 ms': at(0.5),
    'p99 ms': at(0.99),
    hits: `${((100 * hits) / entries).toFixed(1)} %`,
    'hits a second of CPU': (hits / seconds).toFixed(0),
  };
}

function memoryInUse(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Prints a table. `node --expose-gc` tells the memory of an entry as well. */
export async function benchCache(): Promise<void> {
  const cleanUp: (() => unknown)[] = [];
  const context = {
    after: (work: () => unknown) => void cleanUp.push(work),
    skip: (reason: string) => console.log(reason),
  } as unknown as TestContext;
  const rows: Record<string, Record<string, string>> = {};
  const perEntry = (bytes: number) => ({ 'bytes an entry': (bytes / entries).toFixed(0) });

  const before = memoryInUse();
  const memory = await startCache(context);
  await fill(memory);
  const held = memoryInUse() - before;
  rows['in memory'] = { ...(await look(memory, 1)), ...(globalThis.gc && perEntry(held)) };

  const postgres = await startPostgres();
  process.env.WEIR_TEST_POSTGRES ??= postgres.url;
  const { pool, url } = await testDatabase(context);
  await pool.query("INSERT INTO organizations (id, name) VALUES ('acme', 'acme')");
  const cold = { url, pool, retentionMs: 3_600_000 };
  const server = await startRedis(context);
  if (server) {
    const redis = await connect(context, server.url);
    const used = async () => Number(/used_memory:(\d+)/.exec(await redis.client.info('memory'))?.[1]);
    const empty = await used();
    const hot = await startCache(context, { redis, cold });
    await fill(hot);
    const taken = perEntry((await used()) - empty);
    for (const atOnce of [1, 32])
      rows[`Redis, ${atOnce} at once`] = { ...(await look(hot, atOnce)), ...taken };
    await hot.stop();
  }
  // As a process that was started anew has it.
  const anew = await startCache(context, { cold });
  const { rows: sizes } = await pool.query("SELECT pg_total_relation_size('cache_entries')::int AS bytes");
  rows['PostgreSQL, when the hot tier has nothing'] = {
    ...(await look(anew, 8)),
    ...perEntry(sizes[0].bytes),
  };
  console.log('\nthe cache by itself, answers of 1 KB');
  console.table(rows);
  for (const work of cleanUp.reverse()) await work();
  await postgres.stop();
}

if (process.argv[1] === import.meta.filename) await benchCache();
