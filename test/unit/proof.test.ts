import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bootstrapMean, wilson } from '../../src/analytics/confidence.ts';
import { createOwnCalls } from '../../src/identity/own-calls.ts';
import { bothOrders, verdictIn } from '../../src/proof/judge.ts';

test('a judge that likes whichever comes first says nothing', () => {
  assert.equal(bothOrders(1, -1), 1);
  assert.equal(bothOrders(-1, 1), -1);
  assert.equal(bothOrders(1, 1), 0);
  assert.equal(bothOrders(1, 0), 0);
  assert.equal(bothOrders(0, 0), 0);
  assert.equal(bothOrders(null, 1), null);
  assert.equal(verdictIn('First I thought so, but: SECOND.'), -1);
  assert.equal(verdictIn('Both are firsthand.'), null);
});

test('Wilson’s interval is that of the textbook, and holds its share', () => {
  const interval = wilson(8, 10);
  assert(interval);
  assert.deepEqual([interval.low.toFixed(4), interval.high.toFixed(4)], ['0.4902', '0.9433']);
  assert.equal(wilson(0, 0), null);
  fc.assert(
    fc.property(fc.nat(500), fc.nat(500), (hits, misses) => {
      const found = wilson(hits, hits + misses);
      if (found) assert(found.low <= found.value + 1e-12 && found.value <= found.high + 1e-12);
    }),
  );
});

test('a bootstrap holds the true mean about as often as it says', () => {
  let held = 0;
  for (let run = 0; run < 100; run++) {
    const values = Array.from({ length: 60 }, (_, at) => Math.sin(run * 977 + at * 131.7) * 2 + 1);
    const interval = bootstrapMean(values);
    if (interval && interval.low <= 1 && 1 <= interval.high) held++;
  }
  assert(held >= 88, `${held} of 100`);
  assert.deepEqual(bootstrapMean([2, 2, 2]), { value: 2, low: 2, high: 2 });
  assert.equal(bootstrapMean([]), null);
});

test('a credential of weir’s own is of this installation, for ten minutes, and not to be changed', () => {
  let clock = 1_000;
  const own = createOwnCalls(Buffer.from('key'), () => clock);
  const call = {
    organization: 'acme',
    apiKey: 'key_1',
    purpose: 'replay' as const,
    of: 'id',
    to: { provider: 'openai', model: 'x/y' },
  };
  const credential = own.credential(call);
  assert.deepEqual(own.caller(credential)?.tags, {
    'weir:purpose': 'replay',
    'weir:of': 'id',
    'weir:to': 'openai/x/y',
  });
  assert.equal(createOwnCalls(Buffer.from('other'), () => clock).caller(credential), null);
  for (let at = 'weir_own_'.length; at < credential.length - 1; at++) {
    const other = credential[at] === 'A' ? 'B' : 'A';
    assert.equal(own.caller(credential.slice(0, at) + other + credential.slice(at + 1)), null);
  }
  clock += 601_000;
  assert.equal(own.caller(credential), null);
});
