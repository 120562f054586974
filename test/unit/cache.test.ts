import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { createByteBudget } from '../../src/cache/byte-budget.ts';
import type { KeptAnswer } from '../../src/cache/cache.ts';
import { createEntries, openEntry, readLabel, sealEntry } from '../../src/cache/entry.ts';
import { createMemoryTier } from '../../src/cache/hot/memory.ts';
import { type CacheKeyParts, cacheKey } from '../../src/cache/key.ts';
import { covers, type Purge } from '../../src/cache/purges.ts';
import { Recording } from '../../src/cache/recording.ts';
import { createKeyring } from '../../src/config/keyring.ts';
import { anyUsage } from '../fixtures/arbitrary.ts';
import { keptAnswer, keyring, place } from '../fixtures/cache.ts';

const text = fc.string({ unit: 'binary' });
const plain = { noNullPrototype: true };
const time = fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 });
const piece = fc.uint8Array({ maxLength: 3_000 }).map((bytes) => Buffer.from(bytes));
const anyAnswer: fc.Arbitrary<KeptAnswer> = fc.record(
  {
    status: fc.integer({ min: 100, max: 599 }),
    contentType: text,
    streamed: fc.boolean(),
    path: text,
    provider: text,
    requestedModel: fc.option(text),
    model: fc.option(text),
    responseId: fc.option(text),
    finishReason: fc.option(text),
    usage: anyUsage,
    usageSource: fc.constantFrom('provider', 'counted', 'estimated', null),
    costUsd: fc.option(text),
    pieces: fc.array(piece, { maxLength: 20 }),
    storedAt: time,
    expiresAt: time,
    generation: fc.nat(),
    shadow: fc.boolean(),
  },
  plain,
);

test('an entry comes back as it was put, in the pieces in which it was', async () => {
  await fc.assert(
    fc.asyncProperty(anyAnswer, async (each) => {
      assert.deepEqual(await openEntry(place, await sealEntry(place, each, keyring), keyring), each);
    }),
  );
});

test('large answers are packed and unpacked aside, and are as they were', async () => {
  const pieces = [Buffer.alloc(200_000, 'Answers repeat themselves. '), Buffer.alloc(1)];
  const sealed = await sealEntry(place, keptAnswer({ pieces }), keyring);
  assert(sealed.length < 20_000);
  assert.deepEqual((await openEntry(place, sealed, keyring))?.pieces, pieces);
});

test('an entry tells nothing of the answer, and holds for its place alone', async () => {
  const answer = keptAnswer({ pieces: [Buffer.from('the secret answer')], responseId: 'secret-id' });
  const sealed = await sealEntry(place, answer, keyring);
  assert(!/secret/.test(sealed.toString('latin1')));
  assert.equal(await openEntry({ ...place, organization: 'other' }, sealed, keyring), null);
  assert.equal(await openEntry({ ...place, key: 'b'.repeat(64) }, sealed, keyring), null);
  const { end, ...label } = readLabel(sealed) ?? { end: 0 };
  const { generation, storedAt, expiresAt, requestedModel, model, shadow } = answer;
  assert.deepEqual(label, { generation, storedAt, expiresAt, requestedModel, model, shadow });
  // Who could change the label could bring a purged answer back.
  const younger = Buffer.from(
    sealed.toString('latin1').replace('"generation":0', '"generation":9'),
    'latin1',
  );
  assert.equal(readLabel(younger)?.generation, 9);
  assert.equal(await openEntry(place, younger, keyring), null);
  assert(end > 0);
});

test('tiers that keep an answer at the same time have one entry of it, sealed once; of another, another', async () => {
  let seals = 0;
  const entries = createEntries({
    ...keyring,
    seal(secret, context) {
      seals++;
      return keyring.seal(secret, context);
    },
  });
  for (const size of [10, 200_000]) {
    const answer = keptAnswer({ pieces: [Buffer.alloc(size)] });
    seals = 0;
    const [hot, cold] = await Promise.all([entries.seal(place, answer), entries.seal(place, answer)]);
    assert.equal(seals, 1);
    assert.equal(hot, cold);
    assert.deepEqual(await entries.open(place, hot), answer);
    await Promise.all([entries.seal(place, keptAnswer()), entries.seal(place, keptAnswer())]);
    assert.equal(seals, 3);
  }
});

test('what was sealed with a key that was replaced can be read while that key is kept', async () => {
  const [old, fresh] = [
    { id: 'old', key: Buffer.alloc(32, 1) },
    { id: 'new', key: Buffer.alloc(32, 2) },
  ];
  const answer = keptAnswer();
  const sealed = await sealEntry(place, answer, createKeyring([old]));
  assert.deepEqual(await openEntry(place, sealed, createKeyring([fresh, old])), answer);
  assert.equal(await openEntry(place, sealed, createKeyring([fresh])), null);
});

test('what is no entry, or changed by a byte, or not all of it, is a miss', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array(), async (bytes) => {
      assert.equal(await openEntry(place, Buffer.from(bytes), keyring), null);
    }),
  );
  const whole = await sealEntry(place, keptAnswer(), keyring);
  for (let at = 0; at < whole.length; at++) {
    assert.equal(await openEntry(place, whole.subarray(0, at), keyring), null);
    const broken = Buffer.from(whole);
    broken[at] = (broken[at] ?? 0) ^ 1;
    assert.equal(await openEntry(place, broken, keyring), null, `byte ${at}`);
  }
});

const parts = (string: fc.Arbitrary<string>): fc.Arbitrary<CacheKeyParts> =>
  fc.record(
    {
      organization: string,
      credential: fc.option(string),
      provider: string,
      server: string,
      dialect: string,
      operation: string,
      path: string,
      request: string,
      headers: fc.dictionary(string, string, { maxKeys: 3, ...plain }),
    },
    plain,
  );

test('different requests have different keys', () => {
  // Few letters, and those that a form is made of: what could run together would.
  const tight = fc.string({ unit: fc.constantFrom('a', '"', ',', '[', '\\', ':'), maxLength: 2 });
  const any = fc.oneof(parts(text), parts(tight));
  fc.assert(
    fc.property(any, any, (one, other) => {
      assert.equal(cacheKey(one) === cacheKey(other), isDeepStrictEqual(one, other));
    }),
    { numRuns: 2_000 },
  );
  fc.assert(
    fc.property(parts(tight), fc.nat(), (one, number) => {
      // A letter moves from the end of a part to the beginning of the next.
      const names = [
        'organization',
        'provider',
        'server',
        'dialect',
        'operation',
        'path',
        'request',
      ] as const;
      const name = names[number % 6] ?? 'organization';
      const next = names[(number % 6) + 1] ?? 'provider';
      const moved = { ...one, [name]: one[name].slice(0, -1), [next]: one[name].slice(-1) + one[next] };
      assert.equal(cacheKey(one) === cacheKey(moved), one[name] === '');
    }),
  );
});

test('the order of headers makes no other key', () => {
  fc.assert(
    fc.property(parts(text), (one) => {
      const headers = Object.fromEntries(Object.entries(one.headers).reverse());
      assert.equal(cacheKey({ ...one, headers }), cacheKey(one));
    }),
  );
});

const look = { read: true, token: null, instead: null };

test('memory keeps an answer as long as it was told', async () => {
  let now = 1_000;
  const tier = createMemoryTier({ maxBytes: 2 ** 28, now: () => now });
  const answer = keptAnswer();
  await tier.put(place, answer, 60_000, null);
  now += 59_999;
  assert.deepEqual((await tier.look(place, look)).answer, answer);
  now += 2;
  assert.equal((await tier.look(place, look)).answer, null);
  await tier.put(place, answer, 0, null);
  assert.equal((await tier.look(place, look)).answer, null);
});

test('memory is bounded in bytes; what was not used for the longest time goes first', async () => {
  const tier = createMemoryTier({ maxBytes: 100_000, now: () => 1 });
  const at = (key: string) => ({ ...place, key });
  const kept = (key: string) => tier.look(at(key), look).then(({ answer }) => answer !== null);
  const big = keptAnswer({ pieces: [Buffer.alloc(40_000)] });
  await tier.put(at('a'), big, 1_000, null);
  await tier.put(at('b'), big, 1_000, null);
  assert(await kept('a'));
  await tier.put(at('c'), big, 1_000, null);
  assert.deepEqual(await Promise.all(['a', 'b', 'c'].map(kept)), [true, false, true]);
});

test('memory lets go of what is purged', async () => {
  const tier = createMemoryTier({ maxBytes: 100_000, now: () => 1 });
  await tier.put(place, keptAnswer({ model: 'm' }), 1_000, null);
  tier.purge((_place, { model }) => model === 'other');
  assert((await tier.look(place, look)).answer);
  tier.purge((_place, { model }) => model === 'm');
  assert.equal((await tier.look(place, look)).answer, null);
});

test('a purge is about answers that were asked for before it, and that all that it says is true of', () => {
  const answer = keptAnswer({ generation: 3, storedAt: 1_000, requestedModel: 'asked', model: 'told' });
  const purge: Purge = { generation: 4, organization: 'acme', key: null, model: null, storedBefore: null };
  const isCovered = (facts: Partial<Purge>) => covers({ ...purge, ...facts }, place, answer);
  assert(isCovered({}));
  assert(!isCovered({ generation: 3 }));
  assert(!isCovered({ organization: 'other' }));
  assert(isCovered({ key: place.key, model: 'told', storedBefore: 1_001 }));
  assert(isCovered({ model: 'asked' }));
  assert(!isCovered({ key: place.key, model: 'other' }));
  assert(!isCovered({ key: 'b' }));
  assert(!isCovered({ storedBefore: 1_000 }));
});

/** What a reader gets, and how it ended. */
async function readAll(recording: Recording, from = 0, stop = new AbortController().signal) {
  const reading = recording.read(from, stop);
  const pieces: string[] = [];
  for (;;) {
    const next = await reading.next();
    if (next.done) return { pieces, ending: next.value };
    pieces.push(...next.value.map(String));
  }
}

test('whoever reads along gets every piece once and in order, whenever they begin', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 9_000 }), { maxLength: 30 }),
      async (chunks) => {
        const recording = new Recording(createByteBudget(2 ** 30), 2 ** 30);
        const readers = [];
        for (const chunk of chunks) {
          readers.push(readAll(recording));
          recording.append(chunk);
          await Promise.resolve();
        }
        readers.push(readAll(recording));
        recording.end('whole');
        const pieces = chunks.map((chunk) => String(Buffer.from(chunk)));
        for (const read of await Promise.all(readers)) assert.deepEqual(read, { pieces, ending: 'whole' });
        assert.deepEqual(recording.pieces()?.map(String), pieces);
      },
    ),
    { numRuns: 30 },
  );
});

test('a recording that is too large is let go, and gives back what it took', async () => {
  const held = createByteBudget(64 * 1024);
  const recording = new Recording(held, 20_000);
  recording.append(Buffer.alloc(20_000));
  assert(recording.isHeld);
  recording.append(Buffer.alloc(1));
  assert(!recording.isHeld);
  assert.equal((await readAll(recording)).ending, 'broken');
  assert(held.take(64 * 1024));
});

test('while others retain it a recording may be larger, and is there until the last of them releases it', async () => {
  const held = createByteBudget(2 ** 20);
  const recording = new Recording(held, 10);
  recording.append(Buffer.from('0123456789'));
  recording.retain();
  recording.append(Buffer.from('more'));
  recording.end('whole');
  recording.release();
  assert.deepEqual(await readAll(recording), { pieces: ['0123456789', 'more'], ending: 'whole' });
  recording.release();
  assert(!recording.isHeld);
  assert(held.take(2 ** 20));
});

test('all recordings together stay within the budget', () => {
  const held = createByteBudget(64 * 1024);
  const recordings = Array.from({ length: 10 }, () => new Recording(held, 2 ** 20));
  for (const each of recordings) each.append(Buffer.alloc(16_000));
  assert.equal(recordings.filter(({ isHeld }) => isHeld).length, 4);
});

test('whoever stops reading gets no more', async () => {
  const recording = new Recording(createByteBudget(2 ** 20), 2 ** 20);
  const stop = new AbortController();
  const read = readAll(recording, 0, stop.signal);
  recording.append(Buffer.from('a'));
  await new Promise((resolve) => setImmediate(resolve));
  stop.abort();
  assert.deepEqual(await read, { pieces: ['a'], ending: 'broken' });
});
