import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { createLedger } from '../../src/usage/ledger.ts';
import { type Mood, startOtlpEndpoint } from '../fixtures/otlp-endpoint.ts';
import { usageRecord } from '../fixtures/usage-records.ts';

const drainMs = 20_000;

async function house(
  t: TestContext,
  moods: [Mood, ...Mood[]],
  options: { maxBytes?: number; syncMs?: number } = {},
) {
  const root = mkdtempSync(join(tmpdir(), 'weir-journal-'));
  const [first, ...rest] = moods;
  const endpoints = [
    await startOtlpEndpoint(first),
    ...(await Promise.all(rest.map(startOtlpEndpoint))),
  ] as const;
  t.after(async () => {
    await Promise.all(endpoints.map((each) => each.stop()));
    rmSync(root, { recursive: true });
  });
  const lines: { msg: string; dropped?: number; finished?: number; interrupted?: number }[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const open = () =>
    createLedger({
      root,
      endpoints: [addressOf(endpoints[0]), ...endpoints.slice(1).map(addressOf)],
      version: 'test',
      finish: (record) => ({ ...record, errorCode: 'finished' }),
      log,
      maxBytes: options.maxBytes ?? 1024 ** 3,
      syncMs: options.syncMs,
    });
  return { root, endpoints, lines, open };
}

const addressOf = ({ url }: { url: string }) => ({ url, headers: { 'x-tenant': 'a' } });
const records = (count: number) => Array.from({ length: count }, () => usageRecord());
const ids = (list: { spanId: string }[]) => list.map(({ spanId }) => spanId);

test('each endpoint gets every record in order, at its own pace, and the journal is gone when all have all', async (t) => {
  const { root, endpoints, open } = await house(t, [200, 503], { syncMs: 5 });
  const [quick, slow] = endpoints;
  assert(quick && slow);
  const ledger = open();
  ledger.start();
  const made = records(1_500);
  for (const record of made) ledger.close(record);
  await quick.until(() => quick.taken.length === made.length);
  assert.deepEqual(quick.taken, ids(made));
  assert.deepEqual(slow.taken, []);
  assert.equal(quick.state.headers['x-tenant'], 'a');
  slow.state.mood = 200;
  assert.deepEqual(await ledger.drain(drainMs), { left: 0 });
  assert.deepEqual(slow.taken, ids(made));
  await ledger.stop();
  assert.deepEqual(readdirSync(root), []);
});

test('what a killed process left is shipped by the next: the finished as they are, the others as interrupted', async (t) => {
  const { root, endpoints, lines, open } = await house(t, ['hang']);
  const [endpoint] = endpoints;
  assert(endpoint);
  const child = fork(fileURLToPath(new URL('../fixtures/dying-ledger.ts', import.meta.url)), [
    root,
    endpoint.url,
  ]);
  const [written] = (await once(child, 'message')) as [{ closed: string[]; open: string[] }];
  // Its journal is left alone while it lives.
  endpoint.state.mood = 503;
  const early = open();
  early.start();
  assert.equal(lines.length, 0);
  await early.stop();
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;

  endpoint.state.mood = 200;
  const ledger = open();
  ledger.start();
  assert.deepEqual(await ledger.drain(drainMs), { left: 0 });
  assert.deepEqual(endpoint.taken, [...written.closed, ...written.open, 'ffffffffffffffff']);
  assert(lines.some(({ finished, interrupted }) => finished === 10 && interrupted === 6));
  await ledger.stop();
  assert.deepEqual(readdirSync(root), []);
});

test('a record that an endpoint refuses for good costs itself only', async (t) => {
  const made = records(100);
  const { endpoints, lines, open } = await house(t, [{ poison: made[42]?.spanId ?? '' }]);
  const ledger = open();
  ledger.start();
  for (const record of made) ledger.close(record);
  assert.deepEqual(await ledger.drain(drainMs), { left: 0 });
  assert.deepEqual(endpoints[0]?.taken, ids(made.toSpliced(42, 1)));
  assert(lines.some(({ msg }) => msg === 'a usage record was refused for good'));
  await ledger.stop();
});

test('a full journal keeps the oldest, and counts what it drops', async (t) => {
  const { endpoints, lines, open } = await house(t, [503], { maxBytes: 20_000 });
  const [endpoint] = endpoints;
  assert(endpoint);
  const ledger = open();
  ledger.start();
  const made = records(200);
  for (const record of made) {
    ledger.close(record);
    await ledger.open(record);
  }
  endpoint.state.mood = 200;
  await ledger.drain(drainMs);
  assert(endpoint.taken.length > 5 && endpoint.taken.length < 100, String(endpoint.taken.length));
  assert.deepEqual(endpoint.taken, ids(made).slice(0, endpoint.taken.length));
  assert(lines.some(({ msg, dropped }) => msg === 'usage records were dropped' && dropped === 1));
  await ledger.stop();
});

test('an endpoint that is away for long costs the ledger nothing; it misses the oldest itself', async (t) => {
  const { endpoints, lines, open } = await house(t, [200, 503], { maxBytes: 100_000 });
  const [collector, away] = endpoints;
  assert(away);
  const ledger = open();
  ledger.start();
  const made = records(500);
  for (const [index, record] of made.entries()) {
    ledger.close(record);
    if (index % 20 === 19) await collector.until(() => collector.taken.length === index + 1);
  }
  assert.deepEqual(collector.taken, ids(made));
  assert(lines.some(({ msg }) => msg.includes('too far behind')));
  away.state.mood = 200;
  const last = usageRecord();
  ledger.close(last);
  assert.deepEqual(await ledger.drain(drainMs), { left: 0 });
  assert.equal(away.taken.at(-1), last.spanId);
  assert(away.taken.length < made.length);
  await ledger.stop();
});

test('whatever a caller calls its model, its line can be read again', async (t) => {
  const { endpoints, open } = await house(t, [200]);
  const ledger = open();
  ledger.start();
  const huge = 'm'.repeat(20 * 1024 * 1024);
  const parts = Array.from({ length: 5_000 }, () => ({ model: huge, usage: usageRecord().usage }));
  const poisoned = usageRecord({ requestedModel: huge, user: huge, path: huge, tags: { huge }, parts });
  const next = usageRecord();
  for (const record of [poisoned, next]) {
    await ledger.open(record);
    ledger.close(record);
  }
  assert.deepEqual(await ledger.drain(drainMs), { left: 0 });
  assert.deepEqual(endpoints[0].taken, [poisoned.spanId, next.spanId]);
  await ledger.stop();
});
