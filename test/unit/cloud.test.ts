import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SignatureV4 } from '@smithy/signature-v4';
import fc from 'fast-check';
import { createKeeper, type Lease } from '../../src/identity/cloud/keeper.ts';
import { awsRegion, signAws } from '../../src/identity/cloud/sign-aws.ts';
import { silent } from '../fixtures/cache.ts';
import { sha256 } from '../fixtures/sha256.ts';

const minute = 60_000;

test('a credential is renewed ahead of its end, and used to its end where that fails', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  let given = 0;
  let broken = false;
  const keeper = createKeeper({
    name: 'test',
    now: Date.now,
    random: () => 0,
    log: silent,
    async fetch(): Promise<Lease<number>> {
      if (broken) throw new Error('the cloud is away');
      return { value: ++given, expiresAt: Date.now() + 60 * minute };
    },
  });
  const after = async (ms: number) => {
    t.mock.timers.tick(ms);
    for (let at = 0; at < 5; at++) await Promise.resolve();
  };
  assert.equal(keeper.current(), null);
  await keeper.start();
  assert.equal(keeper.current(), 1);
  await after(55 * minute);
  assert.equal(keeper.current(), 1);
  await after(2 * minute);
  assert.equal(keeper.current(), 2);
  broken = true;
  await after(57 * minute);
  assert.equal(keeper.current(), 2);
  await after(4 * minute);
  assert.equal(keeper.current(), null);
  broken = false;
  await after(minute);
  assert.equal(keeper.current(), 3);
  keeper.stop();
});

test('a signature is the one that the library of AWS makes of the whole request', async () => {
  const credentials = { accessKeyId: 'AKIA', secretAccessKey: 'secret', sessionToken: 'session' };
  const now = Date.parse('2026-11-25T01:02:03Z');
  const path = fc
    .array(fc.string({ unit: fc.constantFrom(...'abcXYZ019-_.~ äß:%3A+') }), { minLength: 1, maxLength: 4 })
    .map((parts) => `/${parts.map(encodeURIComponent).join('/')}`);
  await fc.assert(
    fc.asyncProperty(path, fc.uint8Array({ maxLength: 200 }), async (at, body) => {
      const region = 'eu-central-1';
      const baseUrl = 'https://bedrock-runtime.eu-central-1.amazonaws.com';
      const headers = await signAws({ credentials, region, method: 'POST', baseUrl, path: at, body, now });
      const { hostname } = new URL(baseUrl);
      const signer = new SignatureV4({ service: 'bedrock', region, credentials, sha256 });
      const signed = await signer.sign(
        { method: 'POST', protocol: 'https:', hostname, path: at, headers: { host: hostname }, body },
        { signingDate: new Date(now) },
      );
      assert.equal(headers.authorization, signed.headers.authorization);
      assert.equal(headers['x-amz-security-token'], 'session');
    }),
    { numRuns: 50 },
  );
});

test('the region is that of the host', () => {
  assert.equal(awsRegion('https://bedrock-runtime.eu-west-3.amazonaws.com'), 'eu-west-3');
  assert.equal(awsRegion('https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com'), 'us-gov-west-1');
  assert.equal(awsRegion('https://llm.example.com'), null);
});
