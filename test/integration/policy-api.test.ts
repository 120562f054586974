import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { testApi } from '../fixtures/api.ts';
import { makeOrganization } from '../fixtures/organization.ts';
import { testDatabase } from '../fixtures/postgres.ts';

async function house(t: TestContext, options: Parameters<typeof testApi>[2] = {}) {
  const { pool } = await testDatabase(t);
  const api = await testApi(t, pool, options);
  const { admin } = await makeOrganization(pool, 'acme');
  const get = async (url: string) => (await api.ask('GET', url, { key: admin })).body;
  const put = (body: unknown, match?: string, query = '') =>
    api.ask('PUT', `/policy${query}`, {
      key: admin,
      body,
      ...(match !== undefined && { headers: { 'if-match': match } }),
    });
  return { pool, api, admin, get, put };
}

test('the description of the API is a valid OpenAPI document', async (t) => {
  const { api } = await house(t);
  const { valid, errors } = await new Validator().validate(structuredClone(api.document));
  assert(valid, JSON.stringify(errors));
  const { content } = api.document.paths['/policy'].patch.requestBody;
  assert.deepEqual(Object.keys(content), ['application/merge-patch+json', 'application/json']);
});

test('a policy is what the organization says, over what weir.yaml has for all', async (t) => {
  const { get, put } = await house(t, { defaults: { cache: { ttl: '1h' } } });
  const limits = [{ name: 'all', per: 'organization', requests: 5, window: '1m' }];
  const first = await get('/policy');
  assert.deepEqual([first.version, first.document, first.resolved.cache.ttl], [0, {}, '1h']);
  const { status, body } = await put({ limits });
  assert.equal(status, 200);
  assert.deepEqual([body.version, body.changed, body.warnings], [1, true, []]);
  const now = await get('/policy');
  assert.deepEqual(now.document, { limits });
  assert.deepEqual([now.resolved.cache.ttl, now.resolved.cache.mode], ['1h', 'all']);
  assert.partialDeepStrictEqual(now.resolved.limits, limits);
});

test('each change is a version; what changes nothing makes none; an old one is put back as a new one', async (t) => {
  const { pool, api, admin, get, put } = await house(t);
  const off = { cache: { mode: 'off' } };
  await put(off);
  assert.deepEqual([(await put(off)).body.version, (await put(off)).body.changed], [1, false]);
  await put({ limits: [] });
  const patched = await api.ask('PATCH', '/policy', {
    key: admin,
    body: JSON.stringify({ limits: null, cache: { ttl: '2h' } }),
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  assert.deepEqual([patched.body.version, patched.body.document], [3, { cache: { ttl: '2h' } }]);
  const restored = await api.ask('POST', '/policy/versions/1/restore', { key: admin });
  assert.deepEqual([restored.body.version, restored.body.document], [4, off]);
  const { versions } = await get('/policy/versions');
  assert.deepEqual(
    versions.map(({ version }: { version: number }) => version),
    [4, 3, 2, 1],
  );
  assert.deepEqual((await get('/policy/versions/2')).document, { limits: [] });
  assert.equal((await api.ask('GET', '/policy/versions/5', { key: admin })).status, 404);
  assert.equal((await api.ask('POST', '/policy/versions/5/restore', { key: admin })).status, 404);
  const { activity } = await get('/activity');
  assert.deepEqual(
    activity.map(({ action, target }: { action: string; target: string }) => [action, target]),
    [
      ['policy.restore', '4'],
      ['policy.set', '3'],
      ['policy.set', '2'],
      ['policy.set', '1'],
    ],
  );
  assert.deepEqual(activity[2].details.changed.toSorted(), ['/cache', '/limits']);
  const { rows } = await pool.query('SELECT count(*)::int AS n FROM policies');
  assert.equal(rows[0].n, 4);
});

test('two who change at once do not overwrite each other', async (t) => {
  const { api, admin, get, put } = await house(t);
  await put({ cache: { ttl: '1h' } });
  const { headers } = await api.ask('GET', '/policy', { key: admin });
  assert.equal(headers.etag, '"1"');
  const both = await Promise.all([put({ limits: [] }, '"1"'), put({ cache: { mode: 'off' } }, '"1"')]);
  assert.deepEqual(both.map(({ status }) => status).toSorted(), [200, 409]);
  const conflict = both.find(({ status }) => status === 409);
  assert.deepEqual([conflict?.body.code, conflict?.body.version], ['version_conflict', 2]);
  assert.equal((await put({}, 'yesterday')).status, 400);
  assert.equal((await put({}, '*')).status, 200);
  // Patches of one member each, at once and without a version: each of them counts.
  const patch = (body: object) => api.ask('PATCH', '/policy', { key: admin, body });
  await Promise.all([
    patch({ limits: [] }),
    patch({ cache: { ttl: '3h' } }),
    patch({ cache: { mode: 'off' } }),
  ]);
  assert.deepEqual((await get('/policy')).document, { limits: [], cache: { ttl: '3h', mode: 'off' } });
});

test('a policy that cannot work is refused, with all reasons and their places', async (t) => {
  const { get, put } = await house(t);
  const limit = { name: 'all', per: 'organization', requests: 1, window: '1m' };
  const wrong: [unknown, ...[string, RegExp][]][] = [
    [{ cahce: {} }, ['/cahce', /unknown key; did you mean cache\?/]],
    [
      { cache: { mode: 'on', tll: '1h' }, limits: [limit, { ...limit, name: 'b', requests: 0 }] },
      ['/cache/mode', /found "on"; expected one of all, deterministic, shadow, off/],
      ['/cache/tll', /unknown key; did you mean ttl\?/],
      ['/limits/1/requests', /expected more than 0, found 0/],
    ],
    [{ cache: { ttl: 'soon' } }, ['/cache/ttl', /expected a duration such as 30s/]],
    [{ cache: { ttl: '0s' } }, ['/cache/ttl', /to keep nothing, set mode: off/]],
    [{ limits: [limit, limit] }, ['/limits', /every limit needs its own name/]],
    [[], ['', /expected keys and values/]],
    ['"text"', ['', /expected keys and values/]],
  ];
  for (const [document, ...reasons] of wrong) {
    for (const query of ['', '?dry_run=true']) {
      const { status, body } = await put(document, undefined, query);
      assert.deepEqual([status, body.code], [422, 'policy_invalid'], JSON.stringify(document));
      assert.equal(body.errors.length, reasons.length, body.detail);
      for (const [index, [pointer, reason]] of reasons.entries()) {
        assert.equal(body.errors[index].pointer, pointer);
        assert.match(body.errors[index].detail, reason);
      }
    }
  }
  assert.equal((await get('/policy')).version, 0);
});

test('a dry run says what would be and puts nothing in force', async (t) => {
  const { get, put } = await house(t);
  const { status, body } = await put({ cache: { mode: 'off' } }, undefined, '?dry_run=true');
  assert.equal(status, 200);
  assert.partialDeepStrictEqual(body, { version: 0, changed: true, dry_run: true });
  assert.equal(body.resolved.cache.mode, 'off');
  const { version, document } = await get('/policy');
  assert.deepEqual([version, document], [0, {}]);
  assert.deepEqual((await get('/activity')).activity, []);
});
