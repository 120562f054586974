import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Finding, PolicyWorld } from '../../src/config/policy/check.ts';
import { completeDocument } from '../../src/config/policy/complete.ts';
import { differences } from '../../src/config/policy/differences.ts';
import { coversGlob, globsMeet, matchesGlob } from '../../src/config/policy/glob.ts';
import { mergePatch } from '../../src/config/policy/merge-patch.ts';
import { checkNames } from '../../src/config/policy/names.ts';
import { pathOf, pointerTo } from '../../src/config/policy/pointer.ts';
import { policySchema } from '../../src/config/policy/policy.ts';
import { resolvePolicy } from '../../src/config/policy/resolve.ts';

const text = (letters: string) =>
  fc.array(fc.constantFrom(...letters), { maxLength: 8 }).map((all) => all.join(''));
const glob = text('ab*?');

test('globs mean what their regular expressions mean', () => {
  fc.assert(
    fc.property(glob, text('ab'), (pattern, name) => {
      const expression = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`);
      assert.equal(matchesGlob(pattern, name), expression.test(name));
    }),
  );
  // In time that does not explode.
  assert.equal(matchesGlob(`${'*a'.repeat(50)}b`, 'a'.repeat(200)), false);
});

/** All words of a and b up to three letters. */
const words = ['', 'a', 'b'].flatMap((x) =>
  ['', 'a', 'b'].flatMap((y) => ['', 'a', 'b'].map((z) => x + y + z)),
);

test('globs that have a word in common meet; one that covers another has all its words', () => {
  fc.assert(
    fc.property(glob, glob, (a, b) => {
      const common = words.filter((word) => matchesGlob(a, word) && matchesGlob(b, word));
      if (common.length > 0) assert(globsMeet(a, b), common[0]);
      assert.equal(globsMeet(a, b), globsMeet(b, a));
      if (!coversGlob(a, b)) return;
      assert.deepEqual(
        words.filter((word) => matchesGlob(b, word) && !matchesGlob(a, word)),
        [],
      );
    }),
    { numRuns: 2_000 },
  );
  assert(!globsMeet('team-a*', 'team-b*'));
  assert(globsMeet('team-*', '*-b'));
});

test('merge patches do as the examples of RFC 7396 say', () => {
  const examples: [unknown, unknown, unknown][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [target, patch, result] of examples) assert.deepEqual(mergePatch(target, patch), result);
});

const duration = fc.integer({ min: 1, max: 20 }).map((days) => `${days}d`);
const document = fc.record(
  {
    cache: fc.record({ mode: fc.constantFrom('all', 'off'), ttl: duration }, { requiredKeys: [] }),
    limits: fc
      .array(
        fc.record({ per: fc.constantFrom('ip', 'organization'), requests: fc.nat(9), window: duration }),
        {
          maxLength: 3,
        },
      )
      .map((list) => list.map((each, i) => ({ ...each, name: `l${i}`, requests: each.requests + 1 }))),
  },
  { requiredKeys: [] },
);

test('a document written out in full is the policy that its short form makes of the defaults', () => {
  fc.assert(
    fc.property(document, document, (defaults, short) => {
      const whole = completeDocument(policySchema, defaults, short);
      assert.deepEqual(policySchema.parse(whole), resolvePolicy(policySchema.parse(defaults), short));
      assert.deepEqual(completeDocument(policySchema, defaults, whole), whole);
    }),
  );
});

test('differences are none between equals, and lead to where they are', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
      assert.deepEqual(differences(a, structuredClone(a)), []);
      for (const { pointer, before, after } of differences(a, b)) {
        const at = (value: unknown) =>
          pathOf(pointer).reduce<unknown>((each, part) => Object(each)[part], value);
        assert.deepEqual([at(a), at(b)], [before, after]);
      }
    }),
  );
  assert.deepEqual(differences({ a: [1, { b: 2 }] }, { a: [1, { b: 3 }, 4] }), [
    { pointer: '/a/1/b', before: 2, after: 3 },
    { pointer: '/a/2', before: undefined, after: 4 },
  ]);
  assert.deepEqual(pathOf(pointerTo(['a/b', '~c', 0])), ['a/b', '~c', 0]);
});

const world: PolicyWorld = {
  providers: ['openai', 'groq'],
  hasKey: (name) => name === 'openai',
  models: ['gpt-4o', 'gpt-4o-mini', 'llama-3.3-70b'],
  knowsModel: (name) => ['gpt-4o', 'gpt-4o-mini', 'llama-3.3-70b'].includes(name),
};

function findings(document: unknown, known: PolicyWorld = world) {
  const refused: Finding[] = [];
  const warned: Finding[] = [];
  const policy = policySchema.parse({});
  checkNames(
    { document, policy, world: known },
    {
      refuse: (path, detail) => refused.push({ pointer: pointerTo(path), detail }),
      warn: (path, detail) => warned.push({ pointer: pointerTo(path), detail }),
    },
  );
  return { refused, warned };
}

test('names of models and providers are checked wherever a policy has a list of them', () => {
  const { refused, warned } = findings({
    models: ['gpt-4o', 'gpt-4*', 'gpt-40', 'glm-*'],
    providers: ['openai', 'groq', 'gorq', 'an*'],
    limits: [{ match: { models: ['llama-3.3-70b', 'my-own-tune'], providers: ['groq'] } }],
  });
  assert.deepEqual(refused, [
    {
      pointer: '/models/2',
      detail: 'no provider or price table knows the model gpt-40; did you mean gpt-4o?',
    },
    { pointer: '/providers/2', detail: 'there is no provider gorq in weir.yaml; did you mean groq?' },
    {
      pointer: '/limits/0/match/models/1',
      detail:
        'no provider or price table knows the model my-own-tune; one of your own goes under models in weir.yaml',
    },
  ]);
  assert.deepEqual(
    warned.map(({ pointer }) => pointer),
    ['/models/3', '/providers/1', '/providers/3'],
  );
  assert.match(warned[1]?.detail ?? '', /weir has no key of groq: calls must bring their own/);
});

test('where the models of a provider are listed nowhere, an unknown one is only odd', () => {
  const open = { ...world, knowsModel: (name: string) => world.knowsModel(name) || null };
  const { refused, warned } = findings({ models: ['my-own-tune'] }, open);
  assert.deepEqual(refused, []);
  assert.deepEqual(warned, [{ pointer: '/models/0', detail: 'no price table names the model my-own-tune' }]);
});
