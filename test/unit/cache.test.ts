import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { pino } from 'pino';
import { type CachedAnswer, maxBodyBytes } from '../../src/cache/cache.ts';
import { createCache } from '../../src/cache/create.ts';
import { decodeEntry, encodeEntry } from '../../src/cache/entry.ts';
import { type CacheKeyParts, cacheKey } from '../../src/cache/key.ts';
import { createMemoryCache } from '../../src/cache/memory.ts';
import { noUsage } from '../../src/usage/record.ts';
import { anyUsage } from '../fixtures/arbitrary.ts';

const text = fc.string({ unit: 'binary' });
const plain = { noNullPrototype: true };
const anyAnswer: fc.Arbitrary<CachedAnswer> = fc.record(
  {
    status: fc.integer({ min: 100, max: 599 }),
    contentType: text,
    body: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    storedAt: fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }),
    model: fc.option(text),
    responseId: fc.option(text),
    finishReason: fc.option(text),
    usage: anyUsage,
    usageSource: fc.constantFrom('provider', 'counted', 'estimated', null),
    costUsd: fc.option(text),
  },
  plain,
);

function answer(body: string | Buffer): CachedAnswer {
  return {
    status: 200,
    contentType: 'application/json',
    body: Buffer.from(body),
    storedAt: 0,
    model: null,
    responseId: null,
    finishReason: null,
    usage: noUsage,
    usageSource: null,
    costUsd: null,
  };
}

test('an entry comes back as it was put', () => {
  fc.assert(fc.property(anyAnswer, (each) => assert.deepEqual(decodeEntry(encodeEntry(each)), each)));
});

test('what is no entry, or not all of its head, is a miss', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      assert.equal(decodeEntry(Buffer.from(bytes)), null);
    }),
  );
  const { body, ...head } = answer('body');
  const whole = encodeEntry({ ...head, body });
  for (let end = 0; end < whole.length - body.length; end++) {
    assert.equal(decodeEntry(whole.subarray(0, end)), null);
  }
  for (let at = 0; at < whole.length; at++) {
    for (const value of [0, 0x7f, 0xff]) {
      const broken = Buffer.from(whole);
      broken[at] = value;
      decodeEntry(broken);
    }
  }
});

const anyParts: fc.Arbitrary<CacheKeyParts> = fc.record(
  {
    organization: text,
    credential: fc.option(text),
    provider: text,
    dialect: text,
    path: text,
    request: text,
    headers: fc.dictionary(text, text, { maxKeys: 3, ...plain }),
  },
  plain,
);

test('different requests have different keys', () => {
  // Few letters, and those that a form is made of: what could run together would.
  const tight = fc.string({ unit: fc.constantFrom('a', '"', ',', '[', '\\', ':'), maxLength: 2 });
  const tightParts: fc.Arbitrary<CacheKeyParts> = fc.record(
    {
      organization: tight,
      credential: fc.option(tight),
      provider: tight,
      dialect: tight,
      path: tight,
      request: tight,
      headers: fc.dictionary(tight, tight, { maxKeys: 2, ...plain }),
    },
    plain,
  );
  const parts = fc.oneof(anyParts, tightParts);
  fc.assert(
    fc.property(parts, parts, (one, other) => {
      assert.equal(cacheKey(one) === cacheKey(other), isDeepStrictEqual(one, other));
    }),
    { numRuns: 2_000 },
  );
  const base = { organization: 'a', credential: null, provider: 'b', dialect: 'c', path: 'd', request: 'e' };
  assert.notEqual(cacheKey({ ...base, headers: {} }), cacheKey({ ...base, credential: 'null', headers: {} }));
  assert.notEqual(
    cacheKey({ ...base, organization: 'ab', provider: '', headers: {} }),
    cacheKey({ ...base, organization: 'a', provider: 'b', headers: {} }),
  );
});

test('the order of headers makes no other key', () => {
  fc.assert(
    fc.property(anyParts, (parts) => {
      const headers = Object.fromEntries(Object.entries(parts.headers).reverse());
      assert.equal(cacheKey({ ...parts, headers }), cacheKey(parts));
    }),
  );
});

test('memory keeps an answer as long as it was told, and counts', async () => {
  let now = 1_000;
  const cache = createCache(null, { now: () => now, log: pino({ level: 'silent' }) });
  assert.equal(await cache.get('key'), null);
  await cache.set('key', answer('body'), 60_000);
  now += 59_999;
  assert.equal((await cache.get('key'))?.body.toString(), 'body');
  now += 2;
  assert.equal(await cache.get('key'), null);
  assert.deepEqual(cache.stats(), { hits: 1, misses: 2 });
});

test('memory is bounded in bytes; what was not used for the longest time goes first', async () => {
  const cache = createMemoryCache({ maxBytes: 100_000, now: () => 1 });
  const kept = (key: string) => cache.get(key).then((found) => found !== null);
  const big = answer(Buffer.alloc(40_000));
  await cache.set('a', big, 1_000);
  await cache.set('b', big, 1_000);
  assert(await kept('a'));
  await cache.set('c', big, 1_000);
  assert.deepEqual(await Promise.all(['a', 'b', 'c'].map(kept)), [true, false, true]);
});

test('a body that is too large, or that is kept no time at all, is not kept', async () => {
  const cache = createMemoryCache({ maxBytes: 2 ** 28, now: () => 1 });
  await cache.set('large', answer(Buffer.alloc(maxBodyBytes + 1)), 1_000);
  await cache.set('largest', answer(Buffer.alloc(maxBodyBytes)), 1_000);
  await cache.set('never', answer('x'), 0);
  assert.equal(await cache.get('large'), null);
  assert.notEqual(await cache.get('largest'), null);
  assert.equal(await cache.get('never'), null);
});
