import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { get_encoding } from 'tiktoken';
import { routingPolicy } from '../../src/config/policy/routing.ts';
import { baseComplexity } from '../../src/routing/complexity.ts';
import { createTokens, hasWords, safeSlices } from '../../src/routing/tokens.ts';
import { conversationOf, testRouter } from '../fixtures/router.ts';

const { router } = await testRouter();
const policy = routingPolicy.parse({});
const tokens = await createTokens();
const encoder = get_encoding('cl100k_base');
after(() => {
  encoder.free();
  tokens.free();
});
const complexity = (request: Parameters<typeof conversationOf>[0]) =>
  router.assess(conversationOf(request), policy).complexity;

/** A text of exactly so many tokens, with some words before. */
function textOf(count: number, start: string): string {
  const words = ' word'.repeat(count - encoder.encode(start).length);
  assert.equal(encoder.encode(start + words).length, count);
  return start + words;
}

test('99 tokens with a keyword are simple, 100 are medium; 499 are medium, 500 complex', () => {
  for (const keyword of ['Classify this:', 'Answer yes or no:', 'TRUE or false?', 'Do an extraction of']) {
    assert.equal(complexity(textOf(99, keyword)), 'simple', keyword);
    assert.equal(complexity(textOf(100, keyword)), 'medium', keyword);
  }
  assert.equal(complexity(textOf(99, 'Tell me:')), 'medium');
  for (const start of ['Classify this:', 'Tell me:']) {
    assert.equal(complexity(textOf(499, start)), 'medium');
    assert.equal(complexity(textOf(500, start)), 'complex');
  }
});

test('the tokens of all messages count, in string and part forms', () => {
  const parts = (text: string) => [{ type: 'text', text }];
  const messages = (last: number) => [
    { role: 'system', content: textOf(200, 'You are:') },
    { role: 'user', content: parts(textOf(200, 'Tell me:')) },
    { role: 'assistant', content: parts(textOf(last, 'Well:')) },
  ];
  assert.equal(complexity({ messages: messages(99) }), 'medium');
  assert.equal(complexity({ messages: messages(100) }), 'complex');
  const claude = {
    system: parts(textOf(250, 'You are:')),
    messages: [{ role: 'user', content: textOf(250, 'Hi:') }],
  };
  assert.equal(complexity(claude), 'complex');
  const gemini = { contents: [{ role: 'user', parts: [{ text: textOf(99, 'Classify') }] }] };
  assert.equal(complexity(gemini), 'simple');
  assert.equal(complexity({ input: 'Yes or no?' }), 'simple');
});

test('text in slices has the tokens of the whole, up to where counting stops', () => {
  const word = fc.constantFrom(
    'word',
    'naïve',
    "don't",
    '12',
    'Straße',
    '(x)',
    '漢字',
    'e.g.',
    '\n',
    '  ',
    '<|endoftext|>',
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 600 }), (words) => {
      const text = words.join(' ');
      assert.equal([...safeSlices(text)].join(''), text);
      const whole = encoder.encode_ordinary(text).length;
      const counted = tokens.upTo([text], 500);
      assert(!hasWords([text], whole + 1));
      if (whole < 500) assert.equal(counted, whole);
      else assert(counted >= 500);
    }),
    { numRuns: 50 },
  );
});

test('a long run that no slice can spare takes no time that counts', () => {
  assert(tokens.upTo(['a'.repeat(10_000_000)], 500) >= 500);
  assert.equal(baseComplexity(0, []), 'medium');
});
