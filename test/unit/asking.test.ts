import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createByteBudget } from '../../src/cache/byte-budget.ts';
import type { Flight } from '../../src/cache/flights/flight.ts';
import { Recording } from '../../src/cache/recording.ts';
import { keptAnswer, place, question, startCache, textOf } from '../fixtures/cache.ts';

type TestCache = Awaited<ReturnType<typeof startCache>>;

async function lead(cache: TestCache): Promise<Flight> {
  const found = await cache.ask(question());
  assert(found.kind === 'lead', found.kind);
  return found.flight;
}

async function follow(cache: TestCache): Promise<Flight> {
  const found = await cache.ask(question());
  assert(found.kind === 'follow', found.kind);
  return found.flight;
}

test('of calls that ask at once, one leads and the others follow it; who comes later finds its answer', async (t) => {
  const cache = await startCache(t);
  const found = await Promise.all(Array.from({ length: 10 }, () => cache.ask(question())));
  const leads = found.filter(({ kind }) => kind === 'lead');
  assert.equal(leads.length, 1);
  assert.equal(found.filter(({ kind }) => kind === 'follow').length, 9);
  const [first] = leads;
  assert(first?.kind === 'lead');
  const answer = keptAnswer();
  await cache.keep({ place, dialect: 'openai-chat', answer, flight: first.flight });
  for (const each of found) {
    if (each.kind === 'follow') assert.deepEqual(await each.flight.landed, { kind: 'answer', answer });
  }
  const later = await cache.ask(question());
  assert(later.kind === 'answer');
  assert.deepEqual(later.answer, answer);
});

test('a flight without an answer lets its followers move on: one of them leads', async (t) => {
  const cache = await startCache(t);
  const flight = await lead(cache);
  const followed = await follow(cache);
  cache.land(flight, { kind: 'gone' }, 'broken');
  assert.equal((await followed.landed).kind, 'gone');
  const found = await Promise.all([1, 2, 3].map(() => cache.ask(question({ instead: followed }))));
  assert.deepEqual(found.map(({ kind }) => kind).sort(), ['follow', 'follow', 'lead']);
});

test('who may not share neither leads nor follows; who may not read does not follow what is kept', async (t) => {
  const cache = await startCache(t);
  await lead(cache);
  assert.deepEqual(await cache.ask(question({ share: false })), { kind: 'none' });
  assert.deepEqual(await cache.ask(question({ share: false, read: false })), { kind: 'none' });
  const other = { ...place, key: 'b'.repeat(64) };
  await cache.keep({ place: other, dialect: '', answer: keptAnswer(), flight: null });
  assert.equal((await cache.ask(question({ ...other, share: false }))).kind, 'answer');
  assert.equal((await cache.ask(question({ ...other, read: false }))).kind, 'lead');
});

test('other places do not meet', async (t) => {
  const cache = await startCache(t);
  await lead(cache);
  assert.equal((await cache.ask(question({ key: 'b'.repeat(64) }))).kind, 'lead');
});

test('a stream can be read while it runs, by who comes at any time of it', async (t) => {
  const cache = await startCache(t);
  const flight = await lead(cache);
  const early = await follow(cache);
  early.join();
  const recording = new Recording(cache.held, 100);
  flight.begin({
    status: 200,
    contentType: 'text/event-stream',
    path: '/',
    tellsUsage: true,
    labels: '{}',
    recording,
  });
  recording.append(Buffer.from('a'));
  const late = await follow(cache);
  late.join();
  recording.append(Buffer.from('b'));
  const answer = keptAnswer({ pieces: recording.pieces() ?? [] });
  await cache.keep({ place, dialect: '', answer, flight });
  recording.release();
  for (const each of [early, late]) {
    const beginning = await each.begun;
    assert(beginning);
    const pieces: Buffer[] = [];
    for await (const some of beginning.recording.read(0, new AbortController().signal)) pieces.push(...some);
    assert.equal(textOf({ ...answer, pieces }), 'ab');
    each.leave();
  }
  assert(!recording.isHeld);
  assert(cache.held.take(64 * 1024 * 1024));
});

test('a flight whose bytes were let go is not followed any more', async (t) => {
  const cache = await startCache(t);
  const flight = await lead(cache);
  const recording = new Recording(createByteBudget(2 ** 20), 1);
  flight.begin({ status: 200, contentType: '', path: '/', tellsUsage: true, labels: '{}', recording });
  recording.append(Buffer.from('too much'));
  const next = await lead(cache);
  // The end of the first is no end of the second.
  cache.land(flight, { kind: 'unshared', facts: null }, 'whole');
  assert.equal(await follow(cache), next);
});
