import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policySchema } from '../../src/config/policy/policy.ts';
import { resolvePolicy } from '../../src/config/policy/resolve.ts';

const defaults = policySchema.parse({ cache: { ttl: '1h' } });

test('a policy changes what it says, and leaves the rest as the defaults have it', () => {
  assert.deepEqual(resolvePolicy(defaults, {}), defaults);
  const off = resolvePolicy(defaults, { cache: { mode: 'off' } });
  assert.equal(off.cache.mode, 'off');
  assert.equal(off.cache.ttl, 3_600_000);
  assert.deepEqual(off.limits, defaults.limits);
  assert.deepEqual(resolvePolicy(defaults, { limits: [] }).limits, []);
});

test('what is no policy is refused', () => {
  assert.throws(() => resolvePolicy(defaults, { cach: {} }), /cach/);
  assert.throws(() => resolvePolicy(defaults, { cache: { ttl: 'soon' } }), /ttl/);
});
