import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { createCounter } from '../../src/usage/count/counter.ts';
import { slices } from '../../src/usage/count/worker.ts';

const counter = createCounter();
after(() => counter.close());

test('known counts of OpenAI are met', async () => {
  // From OpenAI's tokenizer: "hello world" is two tokens in both encodings, the special one is text.
  assert.deepEqual(await counter.count('gpt-4o', ['hello world']), { tokens: 2, exact: true });
  assert.deepEqual(await counter.count('gpt-3.5-turbo', ['hello world']), { tokens: 2, exact: true });
  assert.deepEqual(await counter.count('gpt-4o', []), { tokens: 0, exact: true });
  assert((await counter.count('gpt-4o', ['<|endoftext|>'])).tokens > 1);
  assert.equal((await counter.count('claude-sonnet-4-5', ['hello world'])).exact, false);
});

test('a long run of one character is counted in time', async () => {
  const { tokens } = await counter.count('gpt-4o', ['a'.repeat(100_000)]);
  assert(tokens > 10_000 && tokens < 100_000);
});

test('slices are the text, bounded, and keep characters whole', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 3000 }), (text) => {
      const parts = [...slices(text.repeat(3))];
      assert.equal(parts.join(''), text.repeat(3));
      assert(parts.every((part) => part.length <= 1024 && part.isWellFormed()));
    }),
  );
});
