import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { migrate } from '../../src/db/migrate.ts';
import { createPool } from '../../src/db/pool.ts';
import { declareOrganizations } from '../../src/identity/declare.ts';
import { makeKey } from '../../src/identity/keys.ts';
import { insertKey } from '../../src/identity/store.ts';
import { configOf, makeOrganization, sealedKey, startIdentity, until } from '../fixtures/identity.ts';
import { startPostgres, testDatabase } from '../fixtures/postgres.ts';

const secretOf = 'sk-secret-of-acme-0123456789';
const workload = { cluster: 'prod', namespace: 'search', serviceAccount: 'api', pod: null, podUid: null };

test('what changes in the database is in force at once, by notification', async (t) => {
  const { pool, url } = await testDatabase(t);
  const key = await makeOrganization(pool, 'acme');
  const identity = await startIdentity(t, { url });
  const caller = identity.byKey(key.secret);
  assert(caller);
  const providerKey = () => identity.access(caller).providerKey('openai');

  await pool.query(`INSERT INTO policies VALUES ('acme', 1, '{"models": ["gpt-4o"]}')`);
  await until(() => identity.policy('acme').models[0] === 'gpt-4o');
  await pool.query(`INSERT INTO policies VALUES ('acme', 2, '{"models": ["o3"]}')`);
  await until(() => identity.policy('acme').models[0] === 'o3');
  for (const id of ['pk_1', 'pk_2']) {
    await pool.query(
      `INSERT INTO provider_keys (id, organization, provider, name, hint, sealed) VALUES ($1, 'acme', 'openai', 'x', '', $2)`,
      [id, sealedKey(id, `${secretOf}${id}`)],
    );
    await until(() => providerKey() === `${secretOf}${id}`);
  }
  await pool.query(`UPDATE provider_keys SET revoked_at = now(), sealed = '' WHERE id = 'pk_2'`);
  await until(() => providerKey() === `${secretOf}pk_1`);
  await pool.query(
    `INSERT INTO workload_bindings (id, organization, namespace, tags) VALUES ('b', 'acme', 'sea*', '{"team":"s"}')`,
  );
  await until(() => identity.byWorkload(workload)?.tags.team === 's');
  await pool.query('UPDATE api_keys SET expires_at = now() WHERE id = $1', [key.id]);
  await until(() => identity.byKey(key.secret) === null);
});

test('a change whose notification is lost is seen by its version', async (t) => {
  const { pool, url } = await testDatabase(t);
  const key = await makeOrganization(pool, 'acme');
  const identity = await startIdentity(t, { url });
  await pool.query('ALTER TABLE api_keys DISABLE TRIGGER identity_changed');
  await pool.query('UPDATE api_keys SET revoked_at = now() WHERE id = $1', [key.id]);
  await pool.query('UPDATE installation SET identity_version = identity_version + 1');
  await until(() => identity.byKey(key.secret) === null);
});

test('a connection that is cut is made anew, and no change is missed', async (t) => {
  const { pool, url } = await testDatabase(t);
  const key = await makeOrganization(pool, 'acme');
  const identity = await startIdentity(t, { url });
  for (const revoked of ['now()', 'NULL', 'now()']) {
    await pool.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'weir identity' AND datname = current_database()`,
    );
    await pool.query(`UPDATE api_keys SET revoked_at = ${revoked} WHERE id = $1`, [key.id]);
    await until(() => (identity.byKey(key.secret) === null) === (revoked !== 'NULL'));
  }
});

/** A PostgreSQL that this test may kill. */
async function ownDatabase(t: TestContext) {
  const server = await startPostgres();
  t.after(() => server.stop());
  const pool = createPool(server.url, { log: pino({ level: 'silent' }), max: 2 });
  t.after(() => pool.end());
  await migrate(pool);
  return { server, pool };
}

test('with PostgreSQL down the last state is in force, also after a start; it is sealed on disk', async (t) => {
  const { server, pool } = await ownDatabase(t);
  const directory = mkdtempSync(join(tmpdir(), 'weir-test-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'identity.sealed');
  const key = await makeOrganization(pool, 'acme');
  await pool.query(
    `INSERT INTO provider_keys (id, organization, provider, name, hint, sealed) VALUES ('pk', 'acme', 'openai', 'x', '', $1)`,
    [sealedKey('pk', secretOf)],
  );
  const first = await startIdentity(t, { url: server.url, file });
  await until(() => readdirSync(directory).includes('identity.sealed'));
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(/acme|sk-secret|weir/.test(readFileSync(file, 'latin1')), false);

  await server.kill();
  assert(first.byKey(key.secret));
  const second = await startIdentity(t, { url: server.url, file });
  const caller = second.byKey(key.secret);
  assert(caller);
  assert.equal(second.access(caller).providerKey('openai'), secretOf);
  assert.deepEqual(second.hashKey(), first.hashKey());
  await assert.rejects(startIdentity(t, { url: server.url }), 'nothing was kept there');

  await server.restart();
  await pool.query('UPDATE api_keys SET revoked_at = now()');
  for (const each of [first, second]) await until(() => each.byKey(key.secret) === null);
  await Promise.all([first.stop(), second.stop()]);
  assert.deepEqual(readdirSync(directory), ['identity.sealed']);
});

const declaredKey = makeKey('call');
const declared = (more: object = {}) => [
  {
    id: 'acme',
    policy: { models: ['gpt-4o'], cache: { ttl: '5m' } },
    bindings: [{ namespace: 'search', tags: { team: 'search' } }],
    keys: [{ name: 'ci', hash: declaredKey.hash.toString('hex'), tags: { env: 'ci' } }],
    ...more,
  },
];

test('what weir.yaml declares is in force without a database', async (t) => {
  const { organizations } = configOf({ organizations: declared() });
  const identity = await startIdentity(t, { organizations });
  assert.deepEqual(identity.byKey(declaredKey.secret)?.tags, { env: 'ci' });
  assert.deepEqual(identity.byWorkload(workload)?.organization, 'acme');
  assert.deepEqual(identity.policy('acme').models, ['gpt-4o']);
  assert.equal(identity.policy('acme').cache.ttl, 300_000);
  assert.equal(identity.policy('acme').limits.length, 2, 'what it leaves out is as the defaults have it');
});

test('what weir.yaml declares comes into the database, once, and goes from there', async (t) => {
  const { pool, url } = await testDatabase(t);
  const start = (list: object[]) => startIdentity(t, { url, ...configOf({ organizations: list }) });
  const [one] = await Promise.all([start(declared()), start(declared()), start(declared())]);
  assert(one.byKey(declaredKey.secret));
  const rows = async () => {
    const { rows: found } = await pool.query(
      `SELECT o.declared, k.revoked_at IS NOT NULL AS revoked, (SELECT count(*) FROM workload_bindings) AS bindings,
              (SELECT count(*) FROM policies) AS policies
         FROM organizations o JOIN api_keys k ON k.organization = o.id WHERE o.id = 'acme'`,
    );
    return found;
  };
  assert.deepEqual(await rows(), [{ declared: true, revoked: false, bindings: 1, policies: 1 }]);

  const later = await start(declared({ keys: [], policy: { models: ['o3'] } }));
  await until(() => one.byKey(declaredKey.secret) === null && one.policy('acme').models[0] === 'o3');
  assert.equal(later.byKey(declaredKey.secret), null);
  await start([]);
  assert.equal((await rows())[0].declared, true, 'a processor that declares nothing ends nothing');
  // As the collector does it.
  const client = await pool.connect();
  await declareOrganizations(client, []);
  client.release();
  assert.deepEqual(await rows(), [{ declared: false, revoked: true, bindings: 0, policies: 2 }]);
  const again = await start(declared());
  assert(again.byKey(declaredKey.secret), 'declared again it is good again');
});

test('a key that was made through the API is not taken by weir.yaml', async (t) => {
  const { pool, url } = await testDatabase(t);
  await pool.query(`INSERT INTO organizations (id, name) VALUES ('other', 'other')`);
  await insertKey(pool, 'other', 'theirs', declaredKey);
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(line) });
  const identity = await startIdentity(t, { url, log, ...configOf({ organizations: declared() }) });
  assert.equal(identity.byKey(declaredKey.secret)?.organization, 'other');
  assert.match(lines.join(''), /weir\.yaml declares the key ci of organization acme/);
});
