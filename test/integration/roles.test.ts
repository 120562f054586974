import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fastify from 'fastify';
import { access, guard } from '../../src/api/access.ts';
import { writeEntries } from '../../src/cache/cold/rows.ts';
import { insertUsage } from '../../src/collector/usage-rows.ts';
import { withConnection } from '../../src/db/pool.ts';
import { testApi } from '../fixtures/api.ts';
import { keptAnswer } from '../fixtures/cache.ts';
import { invite, makeOrganization } from '../fixtures/organization.ts';
import { testDatabase } from '../fixtures/postgres.ts';
import { usageRecord } from '../fixtures/usage-records.ts';

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** All routes, by the API's own description: `['PATCH', '/keys/{id}']`. */
function routesOf(document: { paths: Record<string, object> }): [Method, string][] {
  return Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method): [Method, string] => [method.toUpperCase() as Method, path]),
  );
}
const rule = ([method, path]: [Method, string]) => `${method} ${path.replace(/\{(\w+)\}/g, ':$1')}`;

async function house(t: TestContext) {
  const { pool } = await testDatabase(t);
  const api = await testApi(t, pool);
  return { pool, api, routes: routesOf(api.document) };
}

test('a route that is not in the table cannot be registered, and the table has no other routes', async (t) => {
  const server = fastify();
  guard(server, { 'GET /here': 'viewer' }, () => Promise.reject(new Error('not asked')));
  server.get('/here', () => 'here');
  assert.throws(() => server.get('/elsewhere', () => 'there'), /GET \/elsewhere is not in the table/);
  assert.throws(() => server.post('/here', () => 'there'), /POST \/here is not in the table/);
  const { routes } = await house(t);
  assert.deepEqual([...routes.map(rule), 'GET /openapi.json'].toSorted(), Object.keys(access).toSorted());
});

test('each route answers each role and each kind of key as the table says', async (t) => {
  const { pool, api, routes } = await house(t);
  const { admin, call } = await makeOrganization(pool, 'acme');
  const make = async (role: string, key = admin) => {
    const body = { scope: 'api', name: role, role };
    return (await api.ask('POST', '/keys', { key, body })).body.secret as string;
  };
  // A key that any route may destroy is made anew for each request.
  const as: Record<string, { rank: number; key: () => Promise<string> }> = {
    'user who is viewer': { rank: 0, key: async () => (await invite(api, admin, 'viewer')).key },
    'user who is member': { rank: 1, key: async () => (await invite(api, admin, 'member')).key },
    'user who is admin': { rank: 2, key: async () => (await invite(api, admin, 'admin')).key },
    'key that is viewer': { rank: 0, key: () => make('viewer') },
    'key that is member': { rank: 1, key: () => make('member') },
    'key that is admin': { rank: 2, key: () => make('admin') },
    'viewer’s key of an admin': {
      rank: 0,
      key: async () => {
        const boss = await invite(api, admin, 'admin');
        const body = { scope: 'api', name: 'less', role: 'viewer', user: boss.id };
        return (await api.ask('POST', '/keys', { key: admin, body })).body.secret;
      },
    },
    'key of the machine': { rank: 2, key: async () => admin },
  };
  const needed = { viewer: 0, member: 1, admin: 2 };
  for (const route of routes) {
    const [method, path] = route;
    const url = path.replace('{id}', 'nothing').replace('{version}', '99');
    const least = access[rule(route)] ?? assert.fail(rule(route));
    const ask = (key?: string) => api.ask(method, url, { key, ...(method !== 'GET' && { body: {} }) });
    if (least === 'anyone') {
      assert.equal((await ask()).status, 200, rule(route));
      continue;
    }
    assert.equal((await ask()).body.code, 'key_missing', rule(route));
    assert.equal((await ask(call)).body.code, 'key_not_allowed', rule(route));
    for (const [who, { rank, key }] of Object.entries(as)) {
      const { status, body } = await ask(await key());
      const allowed: boolean = rank >= needed[least];
      assert.equal(body?.code === 'role_not_allowed', !allowed, `${rule(route)} as ${who}: ${status}`);
      assert.equal([401, 403].includes(status), !allowed, `${rule(route)} as ${who}: ${status}`);
    }
  }
});

test('keys that have ended are of no use on any route', async (t) => {
  const { pool, api, routes } = await house(t);
  const { admin } = await makeOrganization(pool, 'acme');
  const removed = await invite(api, admin, 'admin');
  const revoked = await invite(api, admin, 'admin');
  const expired = await invite(api, admin, 'admin');
  await invite(api, admin, 'admin');
  // Even if the key were left.
  await pool.query('UPDATE users SET removed_at = now() WHERE id = $1', [removed.id]);
  assert.equal((await api.ask('DELETE', `/keys/${revoked.keyId}`, { key: admin })).status, 204);
  await pool.query(`UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE id = $1`, [
    expired.keyId,
  ]);
  let address = 0;
  for (const [method, path] of routes.filter((each) => access[rule(each)] !== 'anyone')) {
    for (const { key } of [removed, revoked, expired]) {
      const asked = { key, address: `10.0.0.${address++}` };
      const { status, body } = await api.ask(method, path.replace(/\{\w+\}/, '1'), asked);
      assert.deepEqual([status, body.code], [401, 'key_unknown'], `${method} ${path}`);
    }
  }
});

test('organization A’s key on B’s anything: 404, and nothing of it in a list', async (t) => {
  const { pool, api, routes } = await house(t);
  const a = await makeOrganization(pool, 'a');
  const b = await makeOrganization(pool, 'b');
  const make = async (url: string, body: object): Promise<{ id: string }> => {
    const made = await api.ask('POST', url, { key: b.admin, body });
    assert.equal(made.status, 201, made.text);
    return made.body;
  };
  const record = usageRecord({ organization: 'b', user: 'their-user' });
  await withConnection(pool, (client) => insertUsage(client, [record], Date.now()));
  const theirAlert = {
    name: 'their-alert',
    alert_type: 'daily_cost',
    threshold_value: '1',
    email_addresses: ['bea@b.example'],
  };
  const theirs: Record<string, string> = {
    '/users': (await invite(api, b.admin, 'member', 'bea@b.example')).id,
    '/keys': (await make('/keys', { scope: 'call', name: 'their-call-key' })).id,
    '/provider-keys': (await make('/provider-keys', { provider: 'openai', name: 'their-key', key: 'sk-b' }))
      .id,
    '/bindings': (await make('/bindings', { namespace: 'their-namespace' })).id,
    '/alerts': (await make('/alerts', theirAlert)).id,
    '/analytics/exchanges': record.id,
    '/analytics/traces': record.traceId,
    '/cache': 'b'.repeat(64),
    // B has version 1 and 2, A has none.
    '/policy/versions': '1',
  };
  const { generation, provider, requestedModel, model, streamed, storedAt, expiresAt } = keptAnswer({
    model: 'their-model',
  });
  await writeEntries(pool, [
    {
      ...{
        organization: 'b',
        key: theirs['/cache'] ?? '',
        dialect: '',
        bytes: 1,
        entry: Buffer.from('sealed'),
      },
      ...{ generation, provider, requestedModel, model, streamed, storedAt, expiresAt, deleteAt: expiresAt },
    },
  ]);
  const { rows: deliveries } = await pool.query(
    `INSERT INTO alert_deliveries (alert, kind, channel, recipient, state)
     VALUES ($1, 'test', 'email', 'bea@b.example', 'dead') RETURNING id`,
    [theirs['/alerts']],
  );
  const { rows: letters } = await pool.query(
    `INSERT INTO dead_letters (reason, span) VALUES ('their-reason', '{"attributes":{"weir.organization":"b"}}') RETURNING id`,
  );
  theirs['/dead-letters'] = String(letters[0].id);
  theirs['/alerts/deliveries'] = String(deliveries[0].id);
  await api.ask('PUT', '/policy', { key: b.admin, body: { limits: [] } });
  await api.ask('PUT', '/policy', { key: b.admin, body: { cache: { mode: 'off' } } });
  const state = () =>
    Promise.all(
      [
        'users',
        'api_keys',
        'provider_keys',
        'workload_bindings',
        'policies',
        'alert_configs',
        'cache_entries',
      ].map(
        async (table) =>
          (await pool.query(`SELECT * FROM ${table} WHERE organization = 'b' ORDER BY 1, 2`)).rows,
      ),
    );
  const before = await state();
  const bodies: Record<string, object> = {
    '/users': { role: 'viewer' },
    '/keys': { name: 'mine' },
    '/bindings': { tags: {} },
    '/alerts': { enabled: false },
  };
  let tried = 0;
  for (const [method, path] of routes) {
    const [, base = ''] = /^(.*)\/\{\w+\}/.exec(path) ?? [];
    if (base === '') continue;
    const id = theirs[base] ?? assert.fail(`${path}: which one of B’s is it?`);
    const url = path.replace(/\{\w+\}/, id);
    const { status, body } = await api.ask(method, url, {
      key: a.admin,
      ...(method === 'PATCH' && { body: bodies[base] }),
    });
    assert.deepEqual([status, body.code], [404, 'not_found'], `${method} ${url}`);
    tried++;
  }
  assert(tried >= 20, `${tried} routes`);
  assert.deepEqual(await state(), before);
  for (const [method, path] of routes) {
    if (method !== 'GET' || path.includes('{') || access[rule([method, path])] === 'anyone') continue;
    const { body } = await api.ask(method, path, { key: a.admin });
    assert.doesNotMatch(JSON.stringify(body), /bea@|their-|"cache":{"mode":"off"/, path);
  }
  // What A makes of B’s: refused as well.
  const user = await api.ask('POST', '/keys', {
    key: a.admin,
    body: { scope: 'call', name: 'x', user: theirs['/users'] },
  });
  assert.equal(user.status, 400);
  const providerKey = await api.ask('POST', '/bindings', {
    key: a.admin,
    body: { namespace: 'x', provider_key: theirs['/provider-keys'] },
  });
  assert.equal(providerKey.status, 400);
});

test('an address that sends unknown keys is told to wait; others are not', async (t) => {
  const { pool, api } = await house(t);
  const { admin } = await makeOrganization(pool, 'acme');
  const from = (address: string, key: string) => api.ask('GET', '/organization', { key, address });
  const seen = [];
  for (let i = 0; i < 31; i++) seen.push((await from('192.0.2.1', `weir_api_guess-${i}`)).status);
  assert.deepEqual([...new Set(seen.slice(0, 30))], [401]);
  assert.equal(seen[30], 429);
  const told = await from('192.0.2.1', admin);
  assert.equal(told.body.code, 'too_many_failures');
  assert.match(String(told.headers['retry-after']), /^[1-9]\d?$/);
  assert.equal((await from('192.0.2.2', admin)).status, 200);
});

test('HEAD asks for the role of GET', async (t) => {
  const { pool, api } = await house(t);
  const { admin } = await makeOrganization(pool, 'acme');
  const head = async (url: string, key?: string) =>
    (await api.inject({ method: 'HEAD', url, headers: key ? { authorization: `Bearer ${key}` } : {} }))
      .statusCode;
  assert.deepEqual(
    [await head('/healthz'), await head('/keys'), await head('/keys', admin)],
    [200, 401, 200],
  );
});

test('nothing is given to pages of other origins', async (t) => {
  const { pool, api } = await house(t);
  const { admin } = await makeOrganization(pool, 'acme');
  const headers = { origin: 'https://elsewhere.example' };
  const { headers: told } = await api.ask('GET', '/organization', { key: admin, headers });
  assert.deepEqual(
    Object.keys(told).filter((name) => name.startsWith('access-control')),
    [],
  );
});
