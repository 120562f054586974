import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Json } from '../../src/envoy/inputs.ts';
import { routeConfiguration } from '../../src/envoy/routes.ts';
import { findCredential, withoutKeyHeaders, withoutKeys } from '../../src/identity/credentials.ts';

const path = '/v1/chat/completions';
const basic = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

interface Sent {
  headers: Record<string, string>;
  path: string;
}

/** Each place where an SDK or a person puts a key. */
const places: Record<string, (key: string) => Sent> = {
  bearer: (key) => ({ headers: { authorization: `Bearer ${key}` }, path }),
  'bearer, otherwise written': (key) => ({ headers: { authorization: `  bEaReR   ${key} ` }, path }),
  raw: (key) => ({ headers: { authorization: key }, path }),
  'user of Basic': (key) => ({ headers: { authorization: basic(key, '') }, path }),
  'password of Basic': (key) => ({ headers: { authorization: basic('u', key) }, path }),
  'password of Basic, at another place': (key) => ({ headers: { authorization: basic('us', key) }, path }),
  'password of Basic, at a third place': (key) => ({ headers: { authorization: basic('use', key) }, path }),
  anthropic: (key) => ({ headers: { 'x-api-key': key }, path }),
  azure: (key) => ({ headers: { 'api-key': key }, path }),
  google: (key) => ({ headers: { 'x-goog-api-key': key }, path }),
  query: (key) => ({ headers: {}, path: `${path}?key=${key}` }),
  'query among others': (key) => ({ headers: {}, path: `${path}?alt=sse&key=${key}&x=1` }),
  'encoded query': (key) => ({
    headers: {},
    path: `${path}?k%65y=%20${key.replace('w', '%77').replace('_', '%5F')}`,
  }),
  realtime: (key) => ({
    headers: {
      'sec-websocket-protocol': `realtime, openai-insecure-api-key.${key}, openai-beta.realtime-v1`,
    },
    path: '/v1/realtime?model=gpt-realtime',
  }),
  'x-weir-key': (key) => ({ headers: { 'x-weir-key': key }, path }),
};
const place = fc.constantFrom(...Object.keys(places));
const send = (name: string, key: string): Sent => places[name]?.(key) ?? { headers: {}, path };
const read = ({ headers, path }: Sent) => findCredential(new Map(Object.entries(headers)), path);
const weirKey = fc.stringMatching(/^weir_(sk|admin|api)_[A-Za-z0-9_-]{1,40}$/);
const ownKey = fc.stringMatching(/^(sk-|AIza|gsk_)[A-Za-z0-9_-]{8,40}$/).filter((key) => !/weir_/i.test(key));

/** All that would go out after the edits, in clear as well where it is base64 or percent-encoded. */
function outgoing({ headers, path }: Sent, which: 'all' | 'weir'): string {
  const { set, remove } = withoutKeyHeaders(new Map(Object.entries(headers)), which);
  const left = Object.entries({ ...headers, ...set }).filter(
    ([name]) => !remove.includes(name) && !name.startsWith('x-weir-'),
  );
  const clear = left.map(([name, value]) => {
    const [, coded] = /^basic (.*)$/i.exec(value) ?? [];
    return `${name}: ${coded === undefined ? value : Buffer.from(coded, 'base64').toString('latin1')}`;
  });
  return [...clear, decodeURIComponent(withoutKeys(path, which))].join('\n');
}

test('a weir key is found wherever it stands, and goes out from nowhere', () => {
  fc.assert(
    fc.property(place, weirKey, (where, key) => {
      assert.deepEqual(read(send(where, key)), { kind: 'weir', key, keepsOwn: null });
      for (const which of ['all', 'weir'] as const)
        assert.equal(outgoing(send(where, key), which).includes('weir_'), false);
    }),
    { numRuns: 2_000 },
  );
});

test('weir_workload in the place of a key asks to be known by the token', () => {
  for (const where of Object.keys(places)) {
    assert.deepEqual(read(send(where, 'weir_workload')), { kind: 'workload', keepsOwn: null }, where);
  }
});

test('a weir key beside an own credential counts, and x-weir-key keeps the own one', () => {
  fc.assert(
    fc.property(place, place, weirKey, ownKey, (one, other, key, own) => {
      const [a, b] = [send(one, key), send(other, own)];
      if (Object.keys(a.headers).some((name) => name in b.headers)) return;
      if (other === 'x-weir-key' || (a.path !== path && b.path !== path)) return;
      const both = { headers: { ...a.headers, ...b.headers }, path: a.path === path ? b.path : a.path };
      const found = read(both);
      assert(found.kind === 'weir');
      assert.equal(found.key, key);
      assert.equal(found.keepsOwn !== null, one === 'x-weir-key');
      assert.equal(outgoing(both, found.keepsOwn === null ? 'all' : 'weir').includes('weir_'), false);
      if (found.keepsOwn === null) assert.equal(outgoing(both, 'all').includes(own), false);
    }),
    { numRuns: 2_000 },
  );
});

test('an own credential passes as it came', () => {
  fc.assert(
    fc.property(place, ownKey, (where, own) => {
      if (where === 'x-weir-key') return;
      const sent = send(where, own);
      assert.equal(read(sent).kind, 'own');
      assert.deepEqual(withoutKeyHeaders(new Map(Object.entries(sent.headers)), 'weir'), {
        set: {},
        remove: [],
      });
      assert.equal(withoutKeys(sent.path, 'weir'), sent.path);
    }),
  );
  assert.deepEqual(read({ headers: {}, path }), { kind: 'none' });
});

test('whatever surrounds it, a weir key is never taken for an own credential', () => {
  const around = fc.stringMatching(/^[ -~]{0,12}$/).filter((text) => !/[\w-]$/.test(text) && !/%/.test(text));
  fc.assert(
    fc.property(
      fc.constantFrom('authorization', 'x-api-key', 'api-key', 'x-goog-api-key'),
      around,
      weirKey,
      fc.string({ maxLength: 12 }),
      (name, before, key, after) => {
        const sent = { headers: { [name]: before + key + after }, path };
        if (/^\s*basic\s/i.test(before)) return;
        assert.notEqual(read(sent).kind, 'own');
        assert.equal(outgoing(sent, 'weir').includes('weir_'), false);
      },
    ),
    { numRuns: 2_000 },
  );
});

/** Whether one of Envoy's guards would stop a call that no processor has seen. */
function isGuarded({ headers, path }: Sent): boolean {
  const configuration = routeConfiguration({ providers: {}, models: {} }, [0]) as {
    virtual_hosts: { routes: { match: { headers?: Json[] }; direct_response?: Json }[] }[];
  };
  const guards = configuration.virtual_hosts[0]?.routes.filter(
    ({ match, direct_response }) => match.headers && direct_response,
  );
  const all: Record<string, string> = { ...headers, ':path': path };
  return (guards ?? []).some(({ match }) =>
    (match.headers as { name: string; string_match?: { safe_regex: { regex: string } } }[]).every(
      ({ name, string_match }) => {
        const value = all[name];
        if (value === undefined || !string_match) return value !== undefined;
        return matchesRe2(string_match.safe_regex.regex, value);
      },
    ),
  );
}

/** RE2's groups with flags as JavaScript has them; Envoy matches a value as a whole. */
function matchesRe2(regex: string, value: string): boolean {
  return new RegExp(`^(?:${regex})$`, 's').test(value);
}

test('the guards cover every place, and let own credentials pass', () => {
  fc.assert(
    fc.property(place, weirKey, (where, key) => assert(isGuarded(send(where, key)), where)),
    { numRuns: 1_000 },
  );
  for (const where of Object.keys(places)) assert(isGuarded(send(where, 'weir_workload')), where);
  fc.assert(
    fc.property(place, ownKey, (where, key) => where === 'x-weir-key' || !isGuarded(send(where, key))),
    { numRuns: 1_000 },
  );
});
