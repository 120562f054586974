import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { pino } from 'pino';
import { workloadsSchema } from '../../src/config/organizations.ts';
import { keysOf } from '../../src/identity/jwks.ts';
import { createWorkloads } from '../../src/identity/workloads.ts';

const log = pino({ level: 'silent' });
const issuer = 'https://kubernetes.default.svc.cluster.local';
const config = workloadsSchema.parse({ jwks: '/unused', issuer, cluster: 'prod' });

async function signer(kid: string, alg = 'RS256') {
  const { publicKey, privateKey } = await generateKeyPair(alg);
  const jwk = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' };
  const sign = (more: { claims?: JWTPayload; aud?: string; exp?: number; iss?: string } = {}) =>
    new SignJWT({
      'kubernetes.io': {
        namespace: 'search',
        serviceaccount: { name: 'api', uid: 'sa-uid' },
        pod: { name: 'api-7d9f', uid: 'pod-uid' },
      },
      sub: 'system:serviceaccount:search:api',
      ...more.claims,
    })
      .setProtectedHeader({ alg, kid })
      .setIssuer(more.iss ?? issuer)
      .setAudience(more.aud ?? 'weir')
      .setExpirationTime(more.exp ?? 2_000)
      .sign(privateKey);
  return { jwk, sign };
}

/** A cluster whose keys can be changed, with a clock that ticks by hand. */
async function cluster() {
  const first = await signer('first');
  const state = { keys: [first.jwk], asked: 0, away: false, clock: 1_000_000 };
  const read = createWorkloads(config, {
    log,
    now: () => state.clock,
    load: async () => {
      state.asked++;
      if (state.away) throw new Error('away');
      return { keys: state.keys };
    },
  });
  assert(read);
  return { ...first, state, read };
}

const expected = {
  cluster: 'prod',
  namespace: 'search',
  serviceAccount: 'api',
  pod: 'api-7d9f',
  podUid: 'pod-uid',
};

test('a token tells namespace, service account and pod; it is verified once', async () => {
  const { read, sign, state } = await cluster();
  const token = await sign();
  assert.deepEqual(await Promise.all([read(token), read(token)]), [expected, expected]);
  assert.deepEqual(read(token), expected, 'known: no promise any more');
  assert.equal(state.asked, 1);
  const without = { 'kubernetes.io': { namespace: 'a', serviceaccount: { name: 'b' } } };
  const told = await read(await sign({ claims: without }));
  assert.deepEqual([told?.namespace, told?.serviceAccount, told?.pod], ['a', 'b', null]);
});

test('a token of another audience, issuer, time, signer or form is nobody’s', async () => {
  const { read, sign } = await cluster();
  const other = await signer('first');
  const bad = [
    await sign({ aud: 'api' }),
    await sign({ iss: 'https://elsewhere' }),
    await sign({ exp: 900 }),
    await other.sign(),
    await sign({ claims: { 'kubernetes.io': { namespace: '' } } }),
    `${await sign()}x`,
    'a.b.c',
    '',
    // Unsigned: {"alg":"none"}
    `eyJhbGciOiJub25lIn0.${(await sign()).split('.')[1]}.`,
  ];
  for (const token of bad) assert.equal(await read(token), null);
});

test('a token is good until it expires, and no longer', async () => {
  const { read, sign, state } = await cluster();
  const token = await sign({ exp: 1_500 });
  assert.deepEqual(await read(token), expected);
  state.clock = 1_499_999;
  assert.deepEqual(await read(token), expected);
  state.clock = 1_511_000;
  assert.equal(await read(token), null);
});

test('a new key of the cluster is fetched when it is first seen, and not more often than every 30 s', async () => {
  const { read, sign, state } = await cluster();
  assert.deepEqual(await read(await sign()), expected);
  const second = await signer('second', 'ES256');
  state.keys = [...state.keys, second.jwk];
  assert.equal(await read(await second.sign()), null, 'within the cooldown');
  state.clock += 31_000;
  assert.deepEqual(await read(await second.sign({ exp: 1_999 })), expected);
  assert.equal(state.asked, 2);
  const stranger = await signer('stranger');
  for (let i = 0; i < 20; i++) assert.equal(await read(await stranger.sign({ exp: 2_000 + i })), null);
  assert.equal(state.asked, 2);
});

test('keys that were had stay in use while new ones cannot be', async () => {
  const { read, sign, state } = await cluster();
  assert.deepEqual(await read(await sign()), expected);
  state.away = true;
  state.clock += 60 * 60_000;
  assert.deepEqual(await read(await sign({ exp: 9_000 })), expected);
  state.clock += 60 * 60_000;
  assert.deepEqual(await read(await sign({ exp: 9_001 })), expected);
});

test('keys that are away at the start are asked for again', async () => {
  const { read, sign, state } = await cluster();
  state.away = true;
  assert.equal(await read(await sign()), null);
  state.away = false;
  state.clock += 31_000;
  assert.deepEqual(await read(await sign({ exp: 1_999 })), expected);
});

test('keys come by HTTP; what is no key set is refused', async (t) => {
  const { jwk } = await signer('first');
  const answers: { status: number; body: string }[] = [
    { status: 200, body: JSON.stringify({ keys: [jwk] }) },
    { status: 403, body: '{}' },
    { status: 200, body: '{"keys":"none"}' },
    { status: 200, body: 'x'.repeat(2 * 1024 * 1024) },
  ];
  const server = createServer((_request, response) => {
    const { status, body } = answers.shift() ?? { status: 500, body: '' };
    response.writeHead(status).end(body);
  }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const load = keysOf({ ...config, jwks: `http://127.0.0.1:${port}/openid/v1/jwks` });
  assert.equal((await load()).keys[0]?.kid, 'first');
  await assert.rejects(load(), /answers 403/);
  await assert.rejects(load());
  await assert.rejects(load());
});
