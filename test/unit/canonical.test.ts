import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { canonicalForm } from '../../src/dialects/canonical.ts';
import { findDialect } from '../../src/dialects/registry.ts';
import { corpusMissing, familyOf, recordedExchanges, requestBody } from '../fixtures/corpus.ts';

type Write = (text: string) => string;
/** Ways to write a text, some with escapes for what needs none. */
const writings: Write[] = [
  JSON.stringify,
  (text) =>
    `"${[...text].map((char) => [...Array(char.length).keys()].map((at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')).join('')}"`,
];
/** Ways to write a number. */
const numbers: ((value: number) => string)[] = [
  String,
  (value) => (/e/.test(`${value}`) ? `${value}` : `${value}${Number.isInteger(value) ? '.0' : '00'}`),
  (value) => `${value}`.replace(/^(-?\d+)$/, '$1e0'),
];
const blanks = ['', ' ', '\n\t', '\r\n  '];

/** JSON that says this, its members in any order, in any format; `pick` chooses. */
function written(value: unknown, pick: (count: number) => number): string {
  const blank = () => blanks[pick(blanks.length)] ?? '';
  const text = (each: string) => (writings[pick(writings.length)] ?? JSON.stringify)(each);
  if (typeof value === 'string') return text(value);
  if (typeof value === 'number') return (numbers[pick(numbers.length)] ?? String)(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) {
    return `[${blank()}${value.map((each) => written(each, pick)).join(`${blank()},${blank()}`)}${blank()}]`;
  }
  const members = Object.entries(value).map(
    ([name, each]) => `${text(name)}${blank()}:${blank()}${written(each, pick)}`,
  );
  for (let at = members.length - 1; at > 0; at--) {
    const other = pick(at + 1);
    [members[at], members[other]] = [members[other] ?? '', members[at] ?? ''];
  }
  return `{${blank()}${members.join(`${blank()},${blank()}`)}${blank()}}`;
}

const json = fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.parse(JSON.stringify(value)));
const picks = fc
  .infiniteStream(fc.nat())
  .map((stream) => (count: number) => (stream.next().value ?? 0) % count);

test('order, spacing and ways of writing do not matter', () => {
  fc.assert(
    fc.property(json, picks, picks, (value, one, other) => {
      assert.equal(canonicalForm(written(value, one)), canonicalForm(written(value, other)));
    }),
    { numRuns: 1000 },
  );
});

test('what differs in any value, any name or any place is different', () => {
  fc.assert(
    fc.property(json, json, picks, (a, b, pick) => {
      const equal = canonicalForm(written(a, pick)) === canonicalForm(written(b, pick));
      assert.equal(equal, isDeepStrictEqual(a, b));
    }),
    { numRuns: 2000 },
  );
  // Neighbours that a careless form would run together.
  const texts = [
    '["ab"]',
    '["a","b"]',
    '[["a"],"b"]',
    '["a",["b"]]',
    '[1,2]',
    '[12]',
    '["1",2]',
    '[[1],2]',
    '["a,b"]',
    '["a\\",\\"b"]',
    '{"a":1}',
    '{"a":"1"}',
    '{"a":[1]}',
    '{"a":{}}',
    '{"a":[]}',
    '{"a":null}',
    '{}',
    '[]',
    '[null]',
    '[false]',
    '[0]',
    '[""]',
    '["a\\u0000"]',
    '["a"]',
    '{"a":1,"b":2}',
    '{"a":2,"b":1}',
    '{"a":{"b":2}}',
    '{"":1}',
    '["é"]',
    '["e\\u0301"]',
    '["\\ud800"]',
    '["\\ufffd"]',
  ];
  assert.equal(new Set(texts.map((text) => canonicalForm(text))).size, texts.length);
});

test('numbers are compared by their exact value', () => {
  const equal = [
    ['1', '1.0', '1e0', '10e-1', '0.1e1', '100E-2', '1.000000000000000000000'],
    ['0', '-0', '0.0', '0e7', '-0.00E+3'],
    ['1200', '1.2e3', '12e2', '1200.00'],
    ['-0.05', '-5e-2', '-0.0500'],
  ];
  const different = [
    '9007199254740993',
    '9007199254740992',
    '0.1',
    '0.10000000000000001',
    '1e400',
    '1e401',
    '1e-400',
    '0',
    '1',
    '-1',
    '10',
    '1e99999999999999999999',
  ];
  for (const group of equal)
    assert.equal(new Set(group.map((text) => canonicalForm(`[${text}]`))).size, 1, group.join());
  assert.equal(new Set(different.map((text) => canonicalForm(`[${text}]`))).size, different.length);
});

test('of a name that is given twice both count', () => {
  const texts = ['{"a":1,"a":2}', '{"a":2,"a":1}', '{"a":1}', '{"a":2}'];
  assert.equal(new Set(texts.map((text) => canonicalForm(text))).size, 4);
});

test('what does not count is left out of the outermost object alone', () => {
  const uncounted = new Set(['stream', '__proto__']);
  const form = (text: string) => canonicalForm(text, uncounted);
  assert.equal(form('{"a":1,"stream":true,"__proto__":{"x":1}}'), form('{"a":1}'));
  assert.equal(form('{"str\\u0065am":[{"a":1}],"a":1}'), form('{"a":1}'));
  assert.notEqual(form('{"a":{"stream":true}}'), form('{"a":{}}'));
  assert.notEqual(form('[{"stream":true}]'), form('[{}]'));
});

test('a request that is nested deeper than any stack is read', () => {
  const depth = 60_000;
  const endpoint = '/chat/completions';
  const dialect = findDialect('openai', 'POST', endpoint);
  for (const [open, close] of [
    ['[', ']'],
    ['{"b":1,"a":', '}'],
  ] as const) {
    const body = Buffer.from(`{"model":"m","tools":[${open.repeat(depth)}1${close.repeat(depth)}]}`);
    const facts = dialect?.readRequest(body, endpoint);
    assert.equal(facts?.model, 'm');
    assert.match(facts?.hash ?? '', /^[0-9a-f]{64}$/);
    assert(dialect?.readPrompt(body));
  }
});

test('no two recorded requests that differ in meaning share a hash', { skip: corpusMissing }, () => {
  const byHash = new Map<string, unknown>();
  let shared = 0;
  for (const exchange of recordedExchanges().filter(({ inference }) => inference)) {
    const api = familyOf(exchange);
    const [endpoint = ''] = exchange.path.split('?');
    const dialect = api && findDialect(api, 'POST', endpoint);
    const facts = dialect?.readRequest(requestBody(exchange), endpoint);
    if (!dialect || !facts || dialect.untouchable) continue;
    const request = JSON.parse(requestBody(exchange).toString());
    for (const name of dialect.reuse.uncounted.keys()) delete request[name];
    const before = byHash.get(facts.hash);
    if (before !== undefined) {
      shared++;
      assert.deepEqual(request, before, exchange.id);
    }
    byHash.set(facts.hash, request);
  }
  assert(
    byHash.size > 700 && shared > 0,
    `${byHash.size} hashes, ${shared} calls that ask what was asked before`,
  );
});
