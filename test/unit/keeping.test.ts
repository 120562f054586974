// One entry answers a call in whichever form it asks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CachedAnswer } from '../../src/cache/cache.ts';
import { policySchema } from '../../src/config/policy/policy.ts';
import { configSchema } from '../../src/config/schema.ts';
import type { Dialect, RequestFacts } from '../../src/dialects/dialect.ts';
import { findDialect } from '../../src/dialects/registry.ts';
import { findTarget } from '../../src/dialects/target.ts';
import type { Arrival } from '../../src/exchange/arrival.ts';
import { inForm, keyOf } from '../../src/exchange/keeping.ts';
import { noUsage } from '../../src/usage/record.ts';

const { providers } = configSchema.parse({});

interface Call {
  key: string;
  arrival: Arrival;
  facts: RequestFacts;
  dialect: Dialect;
}

function call(path: string, body: object, headers: Record<string, string> = {}): Call {
  const target = findTarget(providers, path, 'anthropic-version' in headers);
  const provider = target && providers[target.provider];
  const dialect = provider && findDialect(provider.api, 'POST', target.endpoint);
  const facts = dialect?.readRequest(Buffer.from(JSON.stringify(body)), target?.endpoint ?? '');
  assert(target && provider && dialect && facts);
  const arrival: Arrival = {
    target,
    provider,
    dialect,
    caller: { organization: 'acme', apiKey: null, workload: null, tags: {} },
    smart: false,
    intercepted: false,
    putsKeyIn: false,
    policy: policySchema.parse({}),
    access: { providers: [], models: [], mayTag: true, providerKey: () => null },
    ownCredential: null,
    credential: null,
    edit: { set: {}, remove: [] },
  };
  const head = { method: 'POST', path, headers: new Map(Object.entries(headers)), ip: '', ended: false };
  return { key: keyOf({ head, arrival, facts }, (credential) => credential), arrival, facts, dialect };
}

function kept(contentType: string, body: string): CachedAnswer {
  const answer = { status: 200, storedAt: 0, model: null, responseId: null, finishReason: null };
  return {
    ...answer,
    contentType,
    body: Buffer.from(body),
    usage: noUsage,
    usageSource: null,
    costUsd: null,
  };
}

test('a plain and a streamed call have one entry, and each its own form of it', () => {
  const body = { model: 'm', messages: [{ role: 'user', content: 'Hi' }] };
  const plain = call('/v1/chat/completions', body);
  const streamed = call('/v1/chat/completions', { ...body, stream: true });
  assert.equal(plain.key, streamed.key);
  const usage = { prompt_tokens: 1 };
  const choices = [{ index: 0, message: { role: 'assistant', content: 'Hello' }, finish_reason: 'stop' }];
  const answer = kept(
    'application/json',
    JSON.stringify({ id: 'c', object: 'chat.completion', choices, usage }),
  );
  assert.deepEqual(inForm(answer, plain)?.body, answer.body);
  const stream = inForm(answer, streamed);
  assert.match(stream?.contentType ?? '', /^text\/event-stream/);
  assert.match(stream?.body.toString() ?? '', /"content":"Hello"[\s\S]*data: \[DONE\]\n\n$/);
  assert(!stream?.body.includes('"usage"'), 'it did not ask for it');
  assert.equal(inForm(kept('text/event-stream', 'data: [DONE]\n\n'), plain), null);
});

test('Google’s methods and frames share an entry; a beta, a version or a model does not', () => {
  const model = '/v1beta/models/gemini-2.5-flash';
  const body = { contents: [{ parts: [{ text: 'Hi' }] }] };
  const plain = call(`${model}:generateContent`, body);
  const events = call(`${model}:streamGenerateContent?alt=sse`, body);
  const list = call(`${model}:streamGenerateContent`, { ...body, labels: { team: 'a' } });
  assert.deepEqual([events.key, list.key], [plain.key, plain.key]);
  assert.notEqual(call('/v1beta/models/other:generateContent', body).key, plain.key);
  const answer = kept(
    'application/json',
    JSON.stringify({ candidates: [{ content: { parts: [{ text: 'Hi' }] }, finishReason: 'STOP' }] }),
  );
  const asList = inForm(answer, list);
  assert(asList && Array.isArray(JSON.parse(asList.body.toString())));
  assert.match(inForm(asList, events)?.body.toString() ?? '', /^data: /);
  assert.deepEqual(
    JSON.parse(inForm(asList, plain)?.body.toString() ?? ''),
    JSON.parse(answer.body.toString()),
  );

  const keys = ['2023-06-01', '2024-01-01'].flatMap((version) => {
    const headers = { 'anthropic-version': version };
    const withBeta = { ...headers, 'anthropic-beta': 'x' };
    return [headers, withBeta].map((each) => call('/v1/messages', { model: 'm' }, each).key);
  });
  assert.equal(new Set(keys).size, 4);
});
