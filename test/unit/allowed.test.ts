import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unreadModelRefusal } from '../../src/exchange/allowed.ts';
import type { Access } from '../../src/identity/identity.ts';

const access: Access = {
  mayTag: true,
  providers: [],
  models: [{ by: 'key', globs: ['gemini-2.5-*', 'gpt-4o', 'eu.anthropic.*'] }],
  providerKey: () => null,
};
const ask = (method: string, path: string, operation = 'unknown', isUpgrade = false) =>
  unreadModelRefusal(
    { access, target: { provider: 'p', path, endpoint: path } },
    { method, operation, isUpgrade },
  )?.code ?? 'passes';

test('a model that is named in the path is held to the lists, whatever the method and the cost', () => {
  const paths = {
    'gemini-2.5-flash': (model: string) => `/v1beta/models/${model}:countTokens`,
    'eu.anthropic.claude-haiku': (model: string) => `/model/${model}/invoke`,
    'gpt-4o': (model: string) => `/openai/deployments/${model}/audio/speech?api-version=1`,
  };
  for (const method of ['GET', 'POST', 'DELETE']) {
    for (const [allowed, path] of Object.entries(paths)) {
      assert.equal(ask(method, path(allowed), 'count_tokens'), 'passes', path(allowed));
      assert.equal(ask(method, path(allowed.toUpperCase()), 'count_tokens'), 'passes', 'in any case');
      for (const other of ['o3-pro', 'o3%2Dpro', '%', `x${allowed}`])
        assert.equal(ask(method, path(other), 'count_tokens'), 'model_not_allowed', path(other));
    }
  }
});

test('a realtime connection is held to them by its query, and refused where it names none', () => {
  assert.equal(ask('GET', '/v1/realtime?model=gpt-4o', 'realtime', true), 'passes');
  assert.equal(ask('GET', '/v1/realtime?model=gpt-realtime', 'realtime', true), 'model_not_allowed');
  assert.equal(ask('GET', '/v1/realtime', 'realtime', true), 'model_not_allowed');
});

test('what names no model passes where it costs nothing, and not where it may', () => {
  assert.equal(ask('GET', '/v1/models', 'models'), 'passes');
  assert.equal(ask('GET', '/v1/files/file-1', 'files'), 'passes');
  assert.equal(ask('POST', '/v1/moderations', 'moderation'), 'passes');
  assert.equal(ask('POST', '/v1/images/generations', 'images'), 'model_not_allowed');
  // Its body says which model is asked; the query only seems to.
  for (const path of ['/v1/images/generations', '/v1/batches', `/v1/${'a'.repeat(3_000)}`])
    assert.equal(ask('POST', `${path}?model=gpt-4o`, 'images'), 'model_not_allowed', path);
  const all = { ...access, models: [{ by: 'policy' as const, globs: ['*'] }] };
  const path = '/v1/images/generations';
  const target = { provider: 'p', path, endpoint: path };
  const call = { method: 'POST', operation: 'images', isUpgrade: false };
  assert.equal(unreadModelRefusal({ access: all, target }, call), null);
});
