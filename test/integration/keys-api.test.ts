import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { createKeyring } from '../../src/config/keyring.ts';
import { hashKey } from '../../src/identity/keys.ts';
import { testApi, testKeyring } from '../fixtures/api.ts';
import { invite, makeOrganization } from '../fixtures/organization.ts';
import { testDatabase } from '../fixtures/postgres.ts';

async function house(t: TestContext) {
  const { pool } = await testDatabase(t);
  const lines: string[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => lines.push(line) });
  const api = await testApi(t, pool, { log });
  const { admin, call } = await makeOrganization(pool, 'acme');
  return { pool, api, admin, call, lines };
}

test('a key is shown once, kept as a hash, listed by its beginning, and revoked for good', async (t) => {
  const { pool, api, admin, lines } = await house(t);
  const body = {
    scope: 'call',
    name: 'search in production',
    tags: { team: 'search' },
    caller_tags: false,
    models: ['gpt-4o', 'claude-*'],
    providers: ['openai'],
    expires_at: '2999-01-01T00:00:00Z',
  };
  const { status, body: made } = await api.ask('POST', '/keys', { key: admin, body });
  assert.equal(status, 201);
  assert.match(made.secret, /^weir_sk_[\w-]{32}$/);
  assert(made.secret.startsWith(made.prefix));
  const { secret, ...shown } = made;
  assert.deepEqual((await api.ask('GET', `/keys/${made.id}`, { key: admin })).body, shown);
  const { rows } = await pool.query('SELECT hash, api_keys::text AS row FROM api_keys WHERE id = $1', [
    made.id,
  ]);
  assert.deepEqual(rows[0].hash, hashKey(secret));
  assert(![...lines, rows[0].row].join().includes(secret.slice(made.prefix.length)));

  const changes = { name: 'search', tags: {}, models: null };
  const changed = await api.ask('PATCH', `/keys/${made.id}`, { key: admin, body: changes });
  assert.deepEqual(changed.body, { ...shown, ...changes });
  assert.equal((await api.ask('DELETE', `/keys/${made.id}`, { key: admin })).status, 204);
  assert.equal((await api.ask('DELETE', `/keys/${made.id}`, { key: admin })).status, 204, 'again is no harm');
  const after = await api.ask('PATCH', `/keys/${made.id}`, { key: admin, body: changes });
  assert.deepEqual([after.status, after.body.code], [409, 'revoked']);
  const names = async (query: string) =>
    (await api.ask('GET', `/keys?scope=call${query}`, { key: admin })).body.keys.map(
      ({ name }: { name: string }) => name,
    );
  assert.deepEqual(await names(''), ['calls']);
  assert.deepEqual(await names('&revoked=true'), ['search', 'calls']);
});

test('members have keys of their own alone, with their own role or less', async (t) => {
  const { api, admin } = await house(t);
  const ada = await invite(api, admin, 'member');
  const bob = await invite(api, admin, 'member');
  const make = (key: string, body: object) => api.ask('POST', '/keys', { key, body });
  const own = (await make(ada.key, { scope: 'call', name: 'own' })).body;
  assert.deepEqual([own.user, own.created_by], [ada.id, ada.id]);
  const reading = (await make(ada.key, { scope: 'api', name: 'reading', role: 'viewer' })).body;
  assert.equal(reading.role, 'viewer');
  const more = await make(ada.key, { scope: 'api', name: 'more', role: 'admin' });
  assert.deepEqual([more.status, more.body.code], [403, 'role_not_allowed']);
  assert.equal((await make(ada.key, { scope: 'call', name: 'x', user: bob.id })).body.code, 'not_yours');
  for (const [method, body] of [
    ['PATCH', { name: 'mine' }],
    ['DELETE', undefined],
  ] as const) {
    assert.equal((await api.ask(method, `/keys/${own.id}`, { key: bob.key, body })).body.code, 'not_yours');
    assert.equal(
      (await api.ask(method, `/keys/${bob.keyId}`, { key: ada.key, body })).body.code,
      'not_yours',
    );
  }
  assert.equal((await api.ask('DELETE', `/keys/${own.id}`, { key: ada.key })).status, 204);

  // A key of less than its user makes no key of more.
  const boss = await invite(api, admin, 'admin');
  const less = (await make(boss.key, { scope: 'api', name: 'less', role: 'member', user: boss.id })).body;
  const child = (await make(less.secret, { scope: 'api', name: 'child' })).body;
  assert.equal(child.role, 'member');
  // A user who is demoted has less with all their keys.
  await api
    .ask('PATCH', `/users/${boss.id}`, { key: admin, body: { role: 'viewer' } })
    .then((refused) => assert.equal(refused.body.code, 'last_admin'));
  await invite(api, admin, 'admin');
  await api.ask('PATCH', `/users/${boss.id}`, { key: admin, body: { role: 'viewer' } });
  assert.equal((await make(boss.key, { scope: 'call', name: 'x' })).body.code, 'role_not_allowed');
  assert.equal((await make(less.secret, { scope: 'call', name: 'x' })).body.code, 'role_not_allowed');

  // Keys of nobody: what one has made, another leaves alone.
  const robot = (await make(admin, { scope: 'api', name: 'ci', role: 'member' })).body;
  const made = (await make(robot.secret, { scope: 'call', name: 'by ci' })).body;
  assert.deepEqual([made.user, made.created_by], [null, robot.id]);
  const other = (await make(admin, { scope: 'api', name: 'cd', role: 'member' })).body;
  assert.equal((await api.ask('DELETE', `/keys/${made.id}`, { key: other.secret })).body.code, 'not_yours');
  assert.equal((await api.ask('DELETE', `/keys/${made.id}`, { key: robot.secret })).status, 204);
});

test('who is removed goes with all their keys; somebody always stays who may everything', async (t) => {
  const { pool, api, admin } = await house(t);
  const ada = await invite(api, admin, 'admin', 'Ada@example.com');
  const again = await api.ask('POST', '/users', {
    key: admin,
    body: { email: 'ada@EXAMPLE.com', role: 'viewer' },
  });
  assert.deepEqual([again.status, again.body.code], [409, 'user_exists']);
  for (const [method, body] of [
    ['PATCH', { role: 'member' }],
    ['DELETE', undefined],
  ] as const) {
    const { status, body: problem } = await api.ask(method, `/users/${ada.id}`, { key: ada.key, body });
    assert.deepEqual([status, problem.code], [409, 'last_admin']);
  }
  const bob = await invite(api, admin, 'admin');
  // Two admins remove each other at once: one of them stays.
  const both = await Promise.all([
    api.ask('DELETE', `/users/${bob.id}`, { key: ada.key }),
    api.ask('DELETE', `/users/${ada.id}`, { key: bob.key }),
  ]);
  assert.equal(both.filter(({ status }) => status === 204).length, 1);
  const { body } = await api.ask('GET', '/users', { key: admin });
  assert.equal(body.users.length, 1);
  const [left] = body.users;
  const [gone, stays] = left.id === ada.id ? [bob, ada] : [ada, bob];
  assert.equal((await api.ask('GET', '/users', { key: gone.key })).status, 401);
  assert.equal((await api.ask('GET', `/users/${gone.id}`, { key: admin })).status, 404);
  // The address is free again.
  await invite(api, admin, 'viewer', 'free@example.com');

  const { rows } = await pool.query(`SELECT id FROM api_keys WHERE scope = 'admin'`);
  assert.equal((await api.ask('DELETE', `/keys/${rows[0].id}`, { key: stays.key })).status, 204);
  const last = await api.ask('DELETE', `/keys/${stays.keyId}`, { key: stays.key });
  assert.deepEqual([last.status, last.body.code], [409, 'last_admin_key']);
  assert.equal((await api.ask('GET', '/users', { key: stays.key })).status, 200);
});

test('a key that could make no call is not made, and the reason is told', async (t) => {
  const { api, admin } = await house(t);
  const wrong: [object, number, RegExp][] = [
    [
      { models: ['gtp-4o'] },
      422,
      /^\/models\/0: no provider or price table knows the model gtp-4o; did you mean gpt-4o\?$/,
    ],
    [
      { providers: ['opnai'] },
      422,
      /\/providers\/0: there is no provider opnai in weir.yaml; did you mean openai\?/,
    ],
    [{ models: [] }, 400, /models/],
    [{ expires_at: '2020-01-01T00:00:00Z' }, 400, /expires_at: expected a time to come/],
    [{ expires_at: 'tomorrow' }, 400, /expires_at: expected an instant/],
    [{ tags: { 'no good': 'x' } }, 400, /expected a name of letters/],
    [{ name: 'two\nlines' }, 400, /name/],
    [{ name: 'nul\0' }, 400, /name/],
    [{ scope: 'admin' }, 400, /scope/],
    [{ role: 'admin' }, 400, /role/],
    [{ user: 'usr_none' }, 400, /there is no user usr_none/],
    [{ color: 'red' }, 400, /color/],
  ];
  for (const [faults, expected, reason] of wrong) {
    const body = { scope: 'call', name: 'x', ...faults };
    const { status, body: problem } = await api.ask('POST', '/keys', { key: admin, body });
    assert.equal(status, expected, JSON.stringify(problem));
    assert.match(problem.detail, reason);
  }
});

test('a provider’s key is sealed in its place, and told to nobody, not even in an error', async (t) => {
  const { pool, api, admin, lines } = await house(t);
  const secret = 'sk-proj-0123456789-very-secret-wxyz';
  const add = (body: unknown, headers = {}) =>
    api.ask('POST', '/provider-keys', { key: admin, body, headers });
  const { status, body: added } = await add({ provider: 'openai', name: 'billing A', key: ` ${secret}\n` });
  assert.equal(status, 201);
  assert.equal(added.hint, 'wxyz');
  const { rows } = await pool.query('SELECT sealed FROM provider_keys WHERE id = $1', [added.id]);
  const { sealed } = rows[0];
  assert.equal(testKeyring.open(sealed, `provider_key:${added.id}`)?.toString(), secret);
  assert.equal(testKeyring.open(sealed, 'provider_key:another'), null);
  assert.equal(
    createKeyring([{ id: 'test', key: Buffer.alloc(32) }]).open(sealed, `provider_key:${added.id}`),
    null,
  );
  assert.equal((await add({ provider: 'groq', name: 'short', key: 'abcd' })).body.hint, '');

  const answers = [
    added,
    await add({ provider: 'opnai', name: 'x', key: secret }),
    await add({ provider: 'openai', name: 'x', key: `${secret} ${secret}` }),
    await add({ provider: 'openai', nam: 'x', key: secret }),
    await add({ provider: 'openai', name: 'x', key: { secret } }),
    await add(`{"provider": "openai", "key": "${secret}", }`),
    await add(`"${secret}"`),
    await add({ provider: 'openai', name: 'weir’s', key: `weir_sk_${secret}` }),
    await api.ask('GET', `/provider-keys/${added.id}`, { key: admin }),
    await api.ask('GET', '/provider-keys?revoked=true', { key: admin }),
    await api.ask('GET', '/activity', { key: admin }),
  ];
  assert.deepEqual(
    answers.slice(1, 8).map(({ status }) => status),
    [422, 400, 400, 400, 400, 400, 400],
  );
  const dump = await pool.query(
    'SELECT provider_keys::text FROM provider_keys UNION ALL SELECT activity::text FROM activity',
  );
  const said = JSON.stringify(answers) + lines.join('') + JSON.stringify(dump.rows);
  assert(!said.includes('very-secret'), 'the secret is nowhere');

  const bound = await api.ask('POST', '/bindings', {
    key: admin,
    body: { namespace: 'search', provider_key: added.id },
  });
  assert.equal((await api.ask('DELETE', `/provider-keys/${added.id}`, { key: admin })).status, 204);
  const destroyed = await pool.query('SELECT length(sealed) AS bytes FROM provider_keys WHERE id = $1', [
    added.id,
  ]);
  assert.equal(destroyed.rows[0].bytes, 0);
  const { body: binding } = await api.ask('GET', `/bindings/${bound.body.id}`, { key: admin });
  assert.equal(binding.provider_key, null);
  const live = await api.ask('GET', '/provider-keys?provider=openai', { key: admin });
  assert.deepEqual(live.body.provider_keys, []);
});

test('lists come in pages, each entry once, also when several were made at the same instant', async (t) => {
  const { pool, api, admin } = await house(t);
  const same = new Date('2026-11-01T00:00:00Z');
  for (let i = 0; i < 9; i++) {
    await pool.query(
      `INSERT INTO users (id, organization, email, role, created_at) VALUES ($1, 'acme', $1, 'viewer', $2)`,
      [`usr_${i}`, i < 6 ? same : new Date(same.getTime() + i)],
    );
  }
  const seen: string[] = [];
  let cursor: string | null = null;
  do {
    const url: string = `/users?limit=2${cursor === null ? '' : `&cursor=${cursor}`}`;
    const { body } = await api.ask('GET', url, { key: admin });
    seen.push(...body.users.map(({ id }: { id: string }) => id));
    cursor = body.next_cursor;
  } while (cursor);
  assert.deepEqual(seen, ['usr_8', 'usr_7', 'usr_6', 'usr_5', 'usr_4', 'usr_3', 'usr_2', 'usr_1', 'usr_0']);
  const strange = Buffer.from('["some day","x"]').toString('base64url');
  for (const bad of ['nonsense', strange]) {
    const { status, body } = await api.ask('GET', `/users?cursor=${bad}`, { key: admin });
    assert.deepEqual([status, body.detail], [400, 'cursor: expected a next_cursor of this list']);
  }
});

test('a workload belongs to one organization: nobody takes it from another', async (t) => {
  const { pool, api, admin } = await house(t);
  const b = await makeOrganization(pool, 'b');
  const bind = async (key: string, cluster: string, namespace: string, service_account: string) =>
    (await api.ask('POST', '/bindings', { key, body: { cluster, namespace, service_account } })).status;
  assert.equal(await bind(b.admin, '*', 'team-b', '*'), 201);
  assert.equal(await bind(admin, '*', 'team-b', '*'), 409, 'the same');
  assert.equal(await bind(admin, 'prod', 'team-b', 'web'), 409, 'more exact');
  assert.equal(await bind(admin, '*', 'team-?', 'web'), 409, 'crosses it');
  assert.equal(await bind(admin, '*', 'team-*', '*'), 201, 'wider: theirs still counts for theirs');
  assert.equal(await bind(b.admin, '*', 'team-b', 'web'), 201, 'more exact, of one’s own');
  assert.equal(await bind(admin, '*', 'team-a', 'web'), 201);
  const { body } = await api.ask('GET', '/bindings', { key: admin });
  const [mine] = body.bindings;
  const moved = await api.ask('PATCH', `/bindings/${mine.id}`, { key: admin, body: { namespace: 'team-b' } });
  assert.deepEqual([moved.status, moved.body.code], [409, 'bound_already']);
  const tagged = await api.ask('PATCH', `/bindings/${mine.id}`, {
    key: admin,
    body: { tags: { env: 'prod' } },
  });
  assert.deepEqual(tagged.body, { ...mine, tags: { env: 'prod' } });
  assert.equal((await api.ask('DELETE', `/bindings/${mine.id}`, { key: admin })).status, 204);
  assert.equal((await api.ask('GET', `/bindings/${mine.id}`, { key: admin })).status, 404);
});

test('what weir.yaml declares is read and not changed', async (t) => {
  const { pool, api, admin } = await house(t);
  const key = (await api.ask('POST', '/keys', { key: admin, body: { scope: 'call', name: 'declared' } }))
    .body;
  const binding = (await api.ask('POST', '/bindings', { key: admin, body: { namespace: 'x' } })).body;
  for (const table of ['organizations', 'api_keys', 'workload_bindings'])
    await pool.query(`UPDATE ${table} SET declared = true WHERE ${table}::text LIKE '%'`);
  for (const [method, url, body] of [
    ['PATCH', '/organization', { name: 'other' }],
    ['PUT', '/policy', {}],
    ['PATCH', '/policy', {}],
    ['PATCH', `/keys/${key.id}`, { name: 'other' }],
    ['DELETE', `/keys/${key.id}`, undefined],
    ['PATCH', `/bindings/${binding.id}`, { tags: {} }],
    ['DELETE', `/bindings/${binding.id}`, undefined],
  ] as const) {
    const { status, body: problem } = await api.ask(method, url, { key: admin, body });
    assert.deepEqual([status, problem.code], [409, 'declared'], `${method} ${url}`);
    assert.match(problem.detail, /comes from weir\.yaml/);
  }
  assert.equal((await api.ask('GET', `/keys/${key.id}`, { key: admin })).body.declared, true);
  assert.equal((await api.ask('GET', '/policy', { key: admin })).body.declared, true);
});

test('each change is a line of the activity list and of the log: who, what, when, from where', async (t) => {
  const { api, admin, lines } = await house(t);
  const ada = await invite(api, admin, 'admin', 'ada@example.com');
  const as = { key: ada.key, address: '198.51.100.7', headers: { 'x-forwarded-for': '203.0.113.9' } };
  await api.ask('PATCH', '/organization', { ...as, body: { name: 'ACME' } });
  await api.ask('PATCH', '/organization', { ...as, body: { name: 'ACME' } });
  await api.ask('PATCH', '/organization', { ...as, body: { name: '' } });
  await api.ask('PATCH', `/users/${ada.id}`, { ...as, body: { role: 'admin' } });
  await api.ask('PATCH', `/keys/${ada.keyId}`, { ...as, body: {} });
  const { body } = await api.ask('GET', '/activity?limit=1', { key: admin });
  const [deed] = body.activity;
  const { id: _, at, ...told } = deed;
  assert(Math.abs(Date.parse(at) - Date.now()) < 60_000);
  const expected = {
    actor: ada.id,
    action: 'organization.rename',
    target: 'acme',
    address: '198.51.100.7',
  };
  assert.deepEqual(told, {
    ...expected,
    actor_name: 'ada@example.com',
    details: { from: 'acme', to: 'ACME', api_key: ada.keyId },
  });
  const audits = lines.map((line) => JSON.parse(line)).filter(({ audit }) => audit);
  assert.deepEqual(
    audits.map(({ audit }) => audit.action),
    ['user.invite', 'organization.rename'],
    'what changed nothing is not told',
  );
  assert.deepEqual(audits[1].audit, {
    ...expected,
    organization: 'acme',
    api_key: ada.keyId,
    details: { from: 'acme', to: 'ACME' },
  });
  const next = await api.ask('GET', `/activity?cursor=${body.next_cursor}`, { key: admin });
  assert.deepEqual(
    next.body.activity.map(({ action, target }: { action: string; target: string }) => [action, target]),
    [['user.invite', ada.id]],
  );
  assert.equal(
    (await api.ask('GET', '/activity?action=user.invite', { key: admin })).body.activity.length,
    1,
  );
});

test('of an alert it is told who changed what, and not where it is sent', async (t) => {
  const { pool, api, admin, lines } = await house(t);
  const webhook_url = 'https://hooks.example.com/very-secret';
  const body = { name: 'dear', alert_type: 'daily_cost', threshold_value: '5', webhook_url };
  const { body: made } = await api.ask('POST', '/alerts', { key: admin, body });
  const changes = { webhook_url: `${webhook_url}-2`, threshold_value: '6' };
  await api.ask('PATCH', `/alerts/${made.id}`, { key: admin, body: changes });
  await api.ask('POST', `/alerts/${made.id}/secret`, { key: admin });
  await api.ask('DELETE', `/alerts/${made.id}`, { key: admin });
  const { body: told, text } = await api.ask('GET', '/activity', { key: admin });
  assert.deepEqual(
    told.activity.map(({ action, details }: { action: string; details: object }) => [action, details]),
    [
      ['alert.remove', {}],
      ['alert.renew_secret', {}],
      ['alert.change', { changed: ['threshold_value', 'webhook_url'] }],
      ['alert.create', { name: 'dear' }],
    ],
  );
  const { rows } = await pool.query('SELECT activity::text FROM activity');
  assert(!(text + lines.join() + JSON.stringify(rows)).includes('very-secret'));
});

test('behind a proxy that is trusted, an address is that of the client', async (t) => {
  const { pool } = await testDatabase(t);
  const api = await testApi(t, pool, { config: { api: { trusted_proxies: ['10.0.0.0/8'] } } });
  const { admin } = await makeOrganization(pool, 'acme');
  const rename = (name: string, address: string) =>
    api.ask('PATCH', '/organization', {
      key: admin,
      body: { name },
      address,
      headers: { 'x-forwarded-for': '203.0.113.9' },
    });
  await rename('a', '10.1.2.3');
  await rename('b', '192.0.2.1');
  const { body } = await api.ask('GET', '/activity', { key: admin });
  assert.deepEqual(
    body.activity.map(({ address }: { address: string }) => address),
    ['192.0.2.1', '203.0.113.9'],
  );
});

test('a body that is too large, or no JSON, is a problem document', async (t) => {
  const { api, admin } = await house(t);
  const put = (body: unknown, headers = {}) => api.ask('PUT', '/policy', { key: admin, body, headers });
  const large = await put(`"${'x'.repeat(1024 * 1024)}"`);
  assert.deepEqual([large.status, large.body.code], [413, 'body_too_large']);
  const xml = await put('<policy/>', { 'content-type': 'application/xml' });
  assert.deepEqual([xml.status, xml.body.code], [415, 'unsupported_media_type']);
  assert.equal((await put('{"cache":')).body.code, 'bad_request');
  assert.equal((await put('{"__proto__": {"x": 1}}')).status, 400);
  assert.equal((await api.ask('GET', '/keys/%00', { key: admin })).status, 400);
});
