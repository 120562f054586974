import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { pino } from 'pino';
import { migrate } from '../../src/db/migrate.ts';
import { createPool } from '../../src/db/pool.ts';
import { makeKey } from '../../src/identity/keys.ts';
import { insertKey } from '../../src/identity/store.ts';
import { testApi } from '../fixtures/api.ts';
import { makeOrganization } from '../fixtures/identity.ts';
import { startPostgres, testDatabase } from '../fixtures/postgres.ts';
import { startProcessor, type TestProcessor } from '../fixtures/processor.ts';

/** The bound that is promised; a test does not fail for a slow machine, so it prints what it took. */
const promisedMs = 2_000;

function dataDirectory(t: TestContext, config: object): { dataDir: string; config: string } {
  const dataDir = mkdtempSync(join(tmpdir(), 'weir-test-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const file = join(dataDir, 'weir.yaml');
  const providers = { openai: { base_url: 'http://127.0.0.1:9/v1', api_key: 'sk-of-the-house' } };
  writeFileSync(
    file,
    JSON.stringify({ providers, defaults: { limits: [] }, log: { level: 'warn' }, ...config }),
  );
  return { dataDir, config: file };
}

/** Asks all processors without a pause until the test says so, and until each has answered as wanted. */
function load(processors: TestProcessor[], ask: (each: TestProcessor) => Promise<unknown>) {
  let stopped = false;
  let asked = 0;
  const work = processors.flatMap((each) =>
    [1, 2].map(async () => {
      while (!stopped) {
        await ask(each);
        asked++;
      }
    }),
  );
  return {
    asked: () => asked,
    async stop() {
      stopped = true;
      await Promise.all(work);
    },
  };
}

async function untilAll(
  processors: TestProcessor[],
  isSo: (each: TestProcessor) => Promise<boolean>,
): Promise<number> {
  const started = performance.now();
  await Promise.all(
    processors.map(async (each) => {
      while (!(await isSo(each))) {
        if (performance.now() - started > 30_000) throw new Error('a processor did not follow');
      }
    }),
  );
  return performance.now() - started;
}

test('a key that one API revokes is refused, and a policy followed, by five processors under load', async (t) => {
  const { pool, url } = await testDatabase(t);
  const revoked = await makeOrganization(pool, 'acme');
  const good = await makeOrganization(pool, 'busy');
  const admin = makeKey('admin');
  await insertKey(pool, 'acme', 'machine', admin);
  const api = await testApi(t, pool);
  const place = dataDirectory(t, {});
  const processors = await Promise.all(
    [0, 1, 2, 3, 4].map((index) => startProcessor(t, { ...place, postgres: url, index })),
  );
  const askAs = (key: string) => (each: TestProcessor) => each.ask({ authorization: `Bearer ${key}` });
  const busy = load(processors, async (each) => {
    assert.equal((await askAs(good.secret)(each)).set.authorization, 'Bearer sk-of-the-house');
  });
  for (const each of processors) assert.equal((await askAs(revoked.secret)(each)).status, null);

  while (busy.asked() < 2_000) await askAs(good.secret)(processors[0] ?? assert.fail());
  const change = async (method: 'PATCH' | 'DELETE', path: string, body?: object) => {
    const { status } = await api.ask(method, path, { key: admin.secret, ...(body && { body }) });
    assert(status < 300, `${method} ${path}: ${status}`);
  };
  await change('PATCH', '/policy', { providers: ['anthropic'] });
  const followed = await untilAll(
    processors,
    async (each) => (await askAs(revoked.secret)(each)).status === 403,
  );
  await change('DELETE', `/keys/${revoked.id}`);
  const refused = await untilAll(
    processors,
    async (each) => (await askAs(revoked.secret)(each)).status === 401,
  );
  await busy.stop();
  t.diagnostic(
    `after ${busy.asked()} calls: policy followed in ${followed.toFixed(0)} ms, key refused in ${refused.toFixed(0)} ms (promised: ${promisedMs})`,
  );
});

test('with PostgreSQL down processors start and serve from the last snapshot, and catch up', async (t) => {
  const server = await startPostgres();
  t.after(() => server.stop());
  const pool = createPool(server.url, { log: pino({ level: 'silent' }), max: 2 });
  t.after(() => pool.end());
  await migrate(pool);
  const key = await makeOrganization(pool, 'acme');
  const place = dataDirectory(t, {});
  const ask = (each: TestProcessor) => each.ask({ 'x-api-key': key.secret });
  const first = await startProcessor(t, { ...place, postgres: server.url });
  assert.equal((await ask(first)).status, null);

  await server.kill();
  const second = await startProcessor(t, { ...place, postgres: server.url, index: 1 });
  for (const each of [first, second]) {
    assert.equal((await ask(each)).set.authorization, 'Bearer sk-of-the-house');
    assert.equal((await each.ask({ 'x-api-key': 'weir_sk_nobodys' })).status, 401);
  }
  await server.restart();
  await pool.query(`INSERT INTO policies VALUES ('acme', 1, '{"providers": ["anthropic"]}')`);
  await untilAll([first, second], async (each) => (await ask(each)).status === 403);
  await pool.query('UPDATE api_keys SET revoked_at = now()');
  const took = await untilAll([first, second], async (each) => (await ask(each)).status === 401);
  t.diagnostic(`caught up ${took.toFixed(0)} ms after PostgreSQL was back`);
  assert.match(second.output(), /PostgreSQL is away: the last keys and policies stay in force/);
});

test('a workload is known by the token of its stream, and needs no key at all', async (t) => {
  const { publicKey, privateKey } = await generateKeyPair('RS256');
  const sign = (serviceaccount: string, aud = 'weir') =>
    new SignJWT({
      'kubernetes.io': {
        namespace: 'search',
        serviceaccount: { name: serviceaccount },
        pod: { name: 'api-1', uid: 'uid-1' },
      },
    })
      .setProtectedHeader({ alg: 'RS256', kid: 'k' })
      .setAudience(aud)
      .setIssuer('https://cluster')
      .setExpirationTime('1h')
      .sign(privateKey);
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'RS256' }] };
  const place = dataDirectory(t, {
    organizations: [
      { id: 'acme', bindings: [{ namespace: 'search', service_account: 'api', tags: { team: 'search' } }] },
    ],
  });
  const file = join(place.dataDir, 'jwks.json');
  writeFileSync(file, JSON.stringify(jwks));
  writeFileSync(
    place.config,
    JSON.stringify({
      providers: { openai: { base_url: 'http://127.0.0.1:9/v1', api_key: 'sk-of-the-house' } },
      organizations: [
        { id: 'acme', bindings: [{ namespace: 'search', service_account: 'api', tags: { team: 'search' } }] },
      ],
      workloads: { jwks: file, issuer: 'https://cluster', cluster: 'prod' },
    }),
  );
  const processor = await startProcessor(t, place);
  const ask = async (token: string | null, key = 'weir_workload') =>
    processor.ask(
      { authorization: `Bearer ${key}` },
      token === null ? {} : { authorization: `Bearer ${token}` },
    );
  const token = await sign('api');
  for (const time of ['the first time', 'and again'])
    assert.equal((await ask(token)).set.authorization, 'Bearer sk-of-the-house', time);

  const unbound = await ask(await sign('web'));
  assert.equal(unbound.status, 401);
  assert.match(unbound.body, /No binding names the workload prod\/search\/web/);
  for (const each of [null, await sign('api', 'other'), `${token.slice(0, -4)}AAAA`, 'nonsense']) {
    const refused = await ask(each);
    assert.equal(refused.status, 401);
    assert.match(refused.body, /weir_workload asks weir to know this call by the token/);
  }
  // An own credential passes, whoever the workload is.
  const own = await ask(token, 'sk-own');
  assert.equal(own.status, null);
  assert.equal(own.set.authorization, undefined);
  assert.equal(processor.output().includes(token), false);
});
