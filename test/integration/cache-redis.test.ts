import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Flight } from '../../src/cache/flights/flight.ts';
import { Recording } from '../../src/cache/recording.ts';
import { createKeyring } from '../../src/config/keyring.ts';
import { keptAnswer, keyring, place, question, startCache, textOf } from '../fixtures/cache.ts';
import { eventually } from '../fixtures/collector.ts';
import { type RedisServer, startRedis } from '../fixtures/redis.ts';
import { connect } from '../fixtures/redis-connection.ts';

const answerKey = `weir:{acme}:answer:${place.key}`;
const claimKey = `weir:{acme}:flight:${place.key}`;

/** A process: its cache and its connection. */
async function startProcess(t: TestContext, server: RedisServer, ring = keyring, waitMs?: number) {
  const redis = await connect(t, server.url, waitMs === undefined ? undefined : { waitMs });
  const cache = await startCache(t, { redis, keyring: ring });
  // Others can reach it when it has subscribed.
  await eventually(async () => {
    const channels = await redis.client.call('PUBSUB', 'CHANNELS', `weir:mail:${process.pid}-*`);
    return (channels as string[]).length > 0 || undefined;
  });
  return {
    ...cache,
    redis,
    keep: (answer = keptAnswer(), flight: Flight | null = null) =>
      cache.keep({ place, dialect: 'openai-chat', answer, flight }),
    async lead(): Promise<Flight> {
      const found = await cache.ask(question());
      assert(found.kind === 'lead', found.kind);
      return found.flight;
    },
    async follow(): Promise<Flight> {
      const found = await cache.ask(question());
      assert(found.kind === 'follow', found.kind);
      found.flight.join();
      return found.flight;
    },
    /** As a kill -9 of it would: its connections close. */
    die() {
      redis.client.disconnect();
      redis.listener().disconnect();
    },
  };
}

type Process = Awaited<ReturnType<typeof startProcess>>;

/** As many processes, all of which have subscribed. */
async function startProcesses(t: TestContext, server: RedisServer, count: number, waitMs?: number) {
  const all: Process[] = [];
  for (let i = 0; i < count; i++) all.push(await startProcess(t, server, keyring, waitMs));
  await eventually(async () => {
    const channels = (await all[0]?.redis.client.call('PUBSUB', 'CHANNELS', 'weir:mail:*')) as string[];
    return channels.length === count || undefined;
  });
  return all;
}

test('an answer is shared by all processes, sealed, and gone after its time', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  const [one, other] = await startProcesses(t, server, 2);
  assert(one && other);
  const answer = keptAnswer({ pieces: [Buffer.from('the secret'), Buffer.from(' answer')] });
  await one.keep(answer);
  const found = await other.ask(question());
  assert(found.kind === 'answer');
  assert.deepEqual(found.answer, answer);
  const ttl = await other.redis.client.pttl(answerKey);
  assert(ttl > 3_500_000 && ttl <= 3_600_000);
  assert.doesNotMatch((await other.redis.client.getBuffer(answerKey))?.toString('latin1') ?? '', /secret/);

  // Something else in its place is a miss, and another answer may take it.
  await one.redis.client.set(answerKey, 'something else');
  const flight = await other.lead();
  await other.keep(answer, flight);
  assert.equal((await one.ask(question())).kind, 'answer');
});

test('what was sealed with a key of another installation is a miss', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  const one = await startProcess(t, server);
  const stranger = await startProcess(t, server, createKeyring([{ id: 'other', key: Buffer.alloc(32, 9) }]));
  await one.keep();
  assert.equal((await stranger.ask(question())).kind, 'lead');
});

test('one of many processes leads, the others follow it to its answer, and the claim is given up', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  const processes = await startProcesses(t, server, 4);
  const found = await Promise.all(
    processes.flatMap((each) => Array.from({ length: 25 }, () => each.ask(question()))),
  );
  const leads = found.filter(({ kind }) => kind === 'lead');
  assert.equal(leads.length, 1);
  assert.equal(found.filter(({ kind }) => kind === 'follow').length, 99);
  const [lead] = leads;
  assert(lead?.kind === 'lead');
  const at = found.indexOf(lead);
  const leader = processes[Math.floor(at / 25)];
  const answer = keptAnswer({ streamed: false, pieces: [Buffer.from('{"plain":true}')] });
  await leader?.keep(answer, lead.flight);
  for (const [number, each] of found.entries()) {
    if (each.kind !== 'follow') continue;
    const landing = await each.flight.landed;
    // Who came when it was over already finds it.
    const process = processes[Math.floor(number / 25)];
    const got = landing.kind === 'gone' ? await process?.ask(question({ instead: each.flight })) : landing;
    assert.deepEqual(got && 'answer' in got && got.answer, answer);
  }
  assert.equal(await processes[0]?.redis.client.exists(claimKey), 0);
});

/** A stream that another process follows, and has the first piece of. */
async function startStream(leader: Process, other: Process) {
  const flight = await leader.lead();
  const followed = await other.follow();
  const recording = new Recording(leader.held, 2 ** 20);
  recording.append(Buffer.from('a'));
  flight.begin({ status: 200, contentType: '', path: '', tellsUsage: true, labels: '{}', recording });
  const heard = await followed.begun;
  assert(heard);
  await eventually(async () => heard.recording.length || undefined);
  return { flight, recording, followed, heard: heard.recording, read: readStream(followed) };
}

async function readStream(flight: Flight): Promise<{ pieces: string[]; ending: string }> {
  const beginning = await flight.begun;
  assert(beginning);
  const reading = beginning.recording.read(0, new AbortController().signal);
  const pieces: string[] = [];
  for (;;) {
    const next = await reading.next();
    if (next.done) return { pieces, ending: next.value };
    pieces.push(...next.value.map(String));
  }
}

test('a stream is followed from another process while it runs, piece by piece, from its beginning', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  const [one, other, third] = await startProcesses(t, server, 3);
  assert(one && other && third);
  const flight = await one.lead();
  const early = await other.follow();
  const recording = new Recording(one.held, 2 ** 20);
  recording.append(Buffer.from('a'));
  flight.begin({
    status: 200,
    contentType: 'text/event-stream',
    path: '/p',
    tellsUsage: true,
    labels: '{}',
    recording,
  });
  const beginning = await early.begun;
  assert(beginning);
  assert.deepEqual(
    [beginning.contentType, beginning.path, beginning.tellsUsage],
    ['text/event-stream', '/p', true],
  );
  // It has the first piece while there is no second.
  const reading = beginning.recording.read(0, new AbortController().signal);
  assert.deepEqual(String((await reading.next()).value), 'a');
  recording.append(Buffer.from('b'));
  assert.deepEqual(String((await reading.next()).value), 'b');
  const late = await third.follow();
  const read = readStream(late);
  await late.begun;
  recording.append(Buffer.from('c'));
  await one.keep(keptAnswer({ pieces: recording.pieces() ?? [] }), flight);
  assert.deepEqual(await read, { pieces: ['a', 'b', 'c'], ending: 'whole' });
  const landed = await late.landed;
  assert(landed.kind === 'answer');
  assert.equal(textOf(landed.answer), 'abc');
});

test('the followers of a process that died move on within a second, and one of them leads', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  const [leader, ...others] = await startProcesses(t, server, 4);
  assert(leader);
  await leader.lead();
  const flights = await Promise.all(others.map((each) => each.follow()));
  const started = performance.now();
  leader.die();
  const found = await Promise.all(
    flights.map(async (flight, at) => {
      assert.equal((await flight.landed).kind, 'gone');
      return others[at]?.ask(question({ instead: flight }));
    }),
  );
  t.diagnostic(`moved on after ${(performance.now() - started).toFixed(0)} ms`);
  assert.deepEqual(found.map((each) => each?.kind).sort(), ['follow', 'follow', 'lead']);
});

test('a stream whose process dies ends broken for who has begun to read it', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  const [leader, other] = await startProcesses(t, server, 2);
  assert(leader && other);
  const { read } = await startStream(leader, other);
  leader.die();
  assert.deepEqual(await read, { pieces: ['a'], ending: 'broken' });
});

test('a caller that hung up lets the followers elsewhere move on; an error goes to nobody', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  const [one, other] = await startProcesses(t, server, 2);
  assert(one && other);
  const first = await one.lead();
  const followed = await other.follow();
  // Whether it hears of it, or comes too late: what it followed is gone.
  one.land(first, { kind: 'gone' }, 'broken');
  assert.equal((await followed.landed).kind, 'gone');
  const second = await other.ask(question({ instead: followed }));
  assert(second.kind === 'lead');
  const back = await one.follow();
  const recording = new Recording(other.held, 2 ** 20);
  second.flight.begin({ status: 200, contentType: '', path: '', tellsUsage: true, labels: '{}', recording });
  await back.begun;
  other.land(second.flight, { kind: 'unshared', facts: null }, 'whole');
  assert.deepEqual(await back.landed, { kind: 'unshared', facts: null });
});

test('a message that is lost is asked for again', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  const [one, other] = await startProcesses(t, server, 2);
  assert(one && other);
  const { flight, recording, heard, read } = await startStream(one, other);
  // The connection that listens breaks, and is made anew: what is said meanwhile is not heard.
  other.redis.listener().disconnect(true);
  recording.append(Buffer.from('b'));
  recording.append(Buffer.from('c'));
  await eventually(async () => heard.length === 3 || undefined);
  recording.append(Buffer.from('d'));
  await one.keep(keptAnswer({ pieces: recording.pieces() ?? [] }), flight);
  assert.deepEqual(await read, { pieces: ['a', 'b', 'c', 'd'], ending: 'whole' });
});

test('a stream of which something was lost for good is broken, never whole with a gap', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  const [one, other] = await startProcesses(t, server, 2);
  assert(one && other);
  const { flight, recording, followed, read } = await startStream(one, other);
  other.redis.listener().disconnect(true);
  recording.append(Buffer.from('b'));
  await one.keep(keptAnswer({ pieces: recording.pieces() ?? [] }), flight);
  assert.deepEqual(await read, { pieces: ['a'], ending: 'broken' });
  // Who has not begun finds the answer.
  assert.equal((await other.ask(question({ instead: followed }))).kind, 'answer');
});

test('what nobody waits for is said to nobody', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  const [one, other] = await startProcesses(t, server, 2);
  assert(one && other);
  const said: string[] = [];
  const monitor = await (one.redis.client as import('ioredis').Redis).monitor();
  t.after(() => monitor.disconnect());
  monitor.on('monitor', (_time: string, [name = '']: string[]) => said.push(name.toLowerCase()));
  const flight = await one.lead();
  const recording = new Recording(one.held, 2 ** 20);
  flight.begin({ status: 200, contentType: '', path: '', tellsUsage: true, labels: '{}', recording });
  for (let i = 0; i < 100; i++) recording.append(Buffer.from('piece'));
  await one.keep(keptAnswer({ pieces: recording.pieces() ?? [] }), flight);
  await one.redis.client.ping();
  await eventually(async () => said.includes('ping') || undefined);
  assert(!said.includes('publish'), said.join(' '));
});

test('while Redis hangs each process leads for itself, and shares with its own', async (t) => {
  const server = await startRedis(t);
  if (!server) return;
  const [one, other] = await startProcesses(t, server, 2, 20);
  assert(one && other);
  server.pause();
  const started = performance.now();
  const found = await Promise.all([one, one, other, other].map((each) => each.ask(question())));
  t.diagnostic(`first calls took ${(performance.now() - started).toFixed(1)} ms`);
  assert.deepEqual(found.map(({ kind }) => kind).sort(), ['follow', 'follow', 'lead', 'lead']);
  const again = performance.now();
  for (let i = 0; i < 100; i++) await one.ask(question({ key: `${i}`.padStart(64, '0') }));
  t.diagnostic(`a hundred more took ${(performance.now() - again).toFixed(1)} ms`);
  const [lead] = found;
  assert(lead?.kind === 'lead');
  await one.keep(keptAnswer(), lead.flight);
  server.resume();
  await eventually(async () => {
    await one.keep();
    return (await other.ask(question({ share: false }))).kind === 'answer' || undefined;
  });
});
