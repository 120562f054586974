import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConnection } from '../../src/collector/connections.ts';

const workload = { cluster: 'test', namespace: 'shop', serviceAccount: 'checkout', pod: null, podUid: null };
const kindOf = (attributes: Record<string, string>) => {
  const told = {
    host: 'API.openai.com',
    'weir.connection': 'intercepted-openai',
    refused: '-',
    ...attributes,
  };
  return readConnection({ at: 0, attributes: new Map(Object.entries(told)) }, workload)?.kind;
};

// As Envoy 1.40 told of curl with a pin, of Node, and of Python with another authority.
test('who takes a certificate speaks; who does not says so, or leaves at once without a word', () => {
  assert.equal(kindOf({ received: '113', milliseconds: '5' }), 'inspected');
  assert.equal(kindOf({ received: '0', milliseconds: '3' }), 'refused');
  assert.equal(kindOf({ received: '0', milliseconds: '2', refused: 'TLS_error:…' }), 'refused');
  assert.equal(kindOf({ received: '0', milliseconds: '90000' }), 'inspected', 'a spare connection');
  assert.equal(kindOf({}), 'inspected', 'a sidecar of an earlier release does not tell');
  assert.equal(kindOf({ 'weir.connection': 'pass', received: '0', milliseconds: '3' }), 'passed');
});
