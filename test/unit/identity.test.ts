import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { matchesGlob } from '../../src/config/policy/glob.ts';
import { policySchema } from '../../src/config/policy/policy.ts';
import type { BindingFacts, IdentityFacts, KeyFacts } from '../../src/identity/facts.ts';
import type { Workload } from '../../src/identity/identity.ts';
import { makeKey } from '../../src/identity/keys.ts';
import { createSnapshot } from '../../src/identity/snapshot.ts';
import { configOf, facts, keyring, sealedKey } from '../fixtures/identity.ts';

const { config } = configOf({});
const defaults = policySchema.parse({ models: ['gpt-*'] });
const providers = {
  ...config.providers,
  openai: { api: 'openai' as const, base_url: 'https://api.openai.com/v1', api_key: 'sk-of-the-config' },
};

function snapshot(some: Partial<IdentityFacts>, clock = { now: 1_000 }) {
  const warnings: string[] = [];
  const identity = createSnapshot(facts(some), {
    defaults,
    providers,
    keyring,
    now: () => clock.now,
    before: null,
    warn: (message) => void warnings.push(message),
  });
  return { identity, warnings };
}

const secret = makeKey('call');
const key = (some: Partial<KeyFacts> = {}): KeyFacts => ({
  id: secret.id,
  organization: 'acme',
  hash: secret.hash.toString('hex'),
  tags: {},
  callerTags: true,
  models: null,
  providers: null,
  expiresAt: null,
  ...some,
});
const binding = (some: Partial<BindingFacts>): BindingFacts => ({
  id: `b-${JSON.stringify(some)}`,
  organization: 'acme',
  cluster: '*',
  namespace: '*',
  serviceAccount: '*',
  tags: {},
  providerKey: null,
  ...some,
});
const workload: Workload = {
  cluster: 'prod',
  namespace: 'search',
  serviceAccount: 'api',
  pod: 'api-1',
  podUid: 'uid-1',
};
const providerKey = (id: string, organization = 'acme', provider = 'openai') => ({
  id,
  organization,
  provider,
  sealed: sealedKey(id, `secret-${id}`).toString('base64'),
});

test('a key names its organization until it expires', () => {
  const clock = { now: 1_000 };
  const { identity } = snapshot({ keys: [key({ tags: { team: 'a' }, expiresAt: 2_000 })] }, clock);
  assert.deepEqual(identity.byKey(secret.secret), {
    organization: 'acme',
    apiKey: secret.id,
    workload: null,
    tags: { team: 'a' },
  });
  assert.equal(identity.byKey(`${secret.secret}x`), null);
  assert.equal(identity.byKey(''), null);
  clock.now = 2_000;
  assert.equal(identity.byKey(secret.secret), null);
});

test('tags of a binding lie under those of a key, when both are of one organization', () => {
  const bindings = [binding({ namespace: 'search', tags: { team: 'binding', env: 'prod' } })];
  const own = snapshot({ keys: [key({ tags: { team: 'key' } })], bindings }).identity;
  assert.deepEqual(own.byKey(secret.secret, workload)?.tags, { team: 'key', env: 'prod' });
  assert.equal(own.byKey(secret.secret, workload)?.workload, workload);
  const other = snapshot({ keys: [key({ organization: 'b', tags: { team: 'key' } })], bindings }).identity;
  assert.deepEqual(other.byKey(secret.secret, workload)?.tags, { team: 'key' });
  assert.deepEqual(own.byWorkload(workload)?.tags, { team: 'binding', env: 'prod' });
  assert.equal(snapshot({}).identity.byWorkload(workload), null);
});

test('of several bindings the most exact counts: first by namespace, then service account, then cluster', () => {
  const order = [
    binding({ namespace: 'search', serviceAccount: 'api', cluster: 'prod' }),
    binding({ namespace: 'search', serviceAccount: 'api' }),
    binding({ namespace: 'search', serviceAccount: 'a*', cluster: 'prod' }),
    binding({ namespace: 'search' }),
    binding({ namespace: 'sear??', serviceAccount: 'api' }),
    binding({ namespace: 'sear*', serviceAccount: 'api' }),
    binding({ namespace: 's*', serviceAccount: 'api', cluster: 'prod' }),
    binding({ serviceAccount: 'api', cluster: 'prod' }),
    binding({}),
  ];
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat({ max: order.length - 1 }), { minLength: 1 }), (picked) => {
      const bindings = picked.map((index) => ({
        ...binding({}),
        ...order[index],
        organization: `o${index}`,
      }));
      const found = snapshot({ bindings }).identity.byWorkload(workload);
      assert.equal(found?.organization, `o${Math.min(...picked)}`);
    }),
  );
});

test('the key that goes to a provider: the binding’s, else the newest of the organization, else the config’s', () => {
  const state = {
    keys: [key()],
    // The newest first, as they are read.
    providerKeys: [
      providerKey('new'),
      providerKey('old'),
      providerKey('theirs', 'other'),
      providerKey('a', 'acme', 'anthropic'),
    ],
  };
  const keyOf = (bindings: BindingFacts[], provider = 'openai', organization = 'acme') => {
    const { identity } = snapshot({ ...state, bindings });
    return identity.access({ organization, apiKey: null, workload, tags: {} }).providerKey(provider);
  };
  assert.equal(keyOf([binding({ providerKey: 'old' })]), 'secret-old');
  assert.equal(keyOf([]), 'secret-new');
  assert.equal(keyOf([binding({ providerKey: 'gone' })]), 'secret-new');
  assert.equal(
    keyOf([binding({ providerKey: 'theirs' })]),
    'secret-new',
    'another organization’s is not used',
  );
  assert.equal(
    keyOf([binding({ providerKey: 'old' })], 'anthropic'),
    'secret-a',
    'nor one of another provider',
  );
  assert.equal(keyOf([], 'openai', 'nobody'), 'sk-of-the-config');
  assert.equal(keyOf([], 'groq'), null);
});

test('a provider key that cannot be opened is left out, and said', () => {
  const moved = { ...providerKey('new'), id: 'moved' };
  const { identity, warnings } = snapshot({ providerKeys: [moved] });
  assert.equal(
    identity.access({ ...identity.anonymous, organization: 'acme' }).providerKey('openai'),
    'sk-of-the-config',
  );
  assert.equal(warnings.length, 1);
});

test('a policy lies over the defaults; one that cannot be read leaves the one before in force', () => {
  const { identity } = snapshot({ policies: [{ organization: 'acme', document: { models: ['gpt-4o'] } }] });
  assert.deepEqual(identity.policy('acme').models, ['gpt-4o']);
  assert.deepEqual(identity.policy('acme').cache, defaults.cache);
  assert.deepEqual(identity.policy('other'), defaults);
  const broken = facts({ policies: [{ organization: 'acme', document: { from: 'the future' } }] });
  const warnings: string[] = [];
  const next = createSnapshot(broken, {
    defaults,
    providers,
    keyring,
    now: Date.now,
    before: identity,
    warn: (message) => void warnings.push(message),
  });
  assert.deepEqual(next.policy('acme').models, ['gpt-4o']);
  assert.equal(warnings.length, 1);
});

test('what a caller may is what both the policy and the key allow', () => {
  const { identity } = snapshot({ keys: [key({ models: ['gpt-4o*'], callerTags: false })] });
  const caller = identity.byKey(secret.secret);
  assert(caller);
  const { models, providers: allowed, mayTag } = identity.access(caller);
  assert.deepEqual(models, [
    { by: 'policy', globs: ['gpt-*'] },
    { by: 'key', globs: ['gpt-4o*'] },
  ]);
  assert.deepEqual(allowed, [{ by: 'policy', globs: ['*'] }]);
  assert.equal(mayTag, false);
});

test('a glob means what the same regular expression does', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[ab*?]{0,8}$/), fc.stringMatching(/^[ab]{0,10}$/), (glob, text) => {
      const pattern = new RegExp(`^${glob.replaceAll('*', '.*').replaceAll('?', '.')}$`);
      assert.equal(matchesGlob(glob, text), pattern.test(text));
    }),
    { numRuns: 2_000 },
  );
});
