import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { prefixHashes } from '../../src/dialects/prefix-hashes.ts';

const stepChars = 4 * 1_024;
const text = (seed: string, chars: number) =>
  `${seed} is what it says here. `.repeat(Math.ceil(chars / 25)).slice(0, chars);
const chat = (...contents: string[]) => ({
  messages: contents.map((content) => ({ role: 'user', content })),
});

test('two prompts have as many hashes in common as they have beginning, to a step', () => {
  const step = fc.nat({ max: 12 * stepChars });
  fc.assert(
    fc.property(step, step, step, (common, first, second) => {
      const begin = text('common', common);
      const [a, b] = [
        prefixHashes(chat(begin + text('A', first))),
        prefixHashes(chat(begin + text('B', second))),
      ];
      const equal = a.findIndex((each, index) => each !== b[index]);
      const shared = equal < 0 ? a.length : equal;
      // The role stands before the text.
      const overhead = 'role\0user\0content\0'.length;
      assert(shared <= Math.floor((common + overhead) / stepChars) || a.length === shared);
      assert(shared >= Math.min(a.length, b.length, Math.floor((common + overhead) / stepChars)));
      assert.equal(new Set(a.slice(shared).concat(b.slice(shared))).size, a.length + b.length - 2 * shared);
    }),
  );
});

test('a conversation that goes on keeps the hashes of what was said before', () => {
  const before = chat(text('one', 9_000), text('two', 9_000));
  const marked = {
    tools: [],
    messages: before.messages.map((each, index) =>
      index === 1 ? { ...each, cache_control: { type: 'ephemeral' } } : each,
    ),
  };
  const after = chat(text('one', 9_000), text('two', 9_000), text('three', 9_000));
  const hashes = prefixHashes(before);
  assert.equal(hashes.length, 4);
  assert.deepEqual(prefixHashes(marked), hashes);
  assert.deepEqual(prefixHashes(after).slice(0, 4), hashes);
  for (const each of hashes) assert.match(each, /^[0-9a-f]{16}$/);
});

test('tools and system stand before what is said, images count as little, and there is an end', () => {
  const tools = [{ name: 'search', description: text('tool', 5_000) }];
  const system = text('system', 5_000);
  const both = prefixHashes({ messages: [{ role: 'user', content: 'hi' }], system, tools });
  assert.deepEqual(prefixHashes({ tools, system, messages: [{ role: 'user', content: 'else' }] }), both);
  assert.notDeepEqual(prefixHashes({ tools: [], system, messages: [] }).slice(0, 1), both.slice(0, 1));
  assert.deepEqual(prefixHashes(chat('A'.repeat(1_000_000))), []);
  assert.equal(prefixHashes(chat(text('long', 1_000_000))).length, 64);
});
