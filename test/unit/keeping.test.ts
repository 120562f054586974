// One entry answers a call in whichever form it asks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createByteBudget } from '../../src/cache/byte-budget.ts';
import type { KeptAnswer } from '../../src/cache/cache.ts';
import { createCache } from '../../src/cache/create.ts';
import { configSchema } from '../../src/config/schema.ts';
import { findDialect } from '../../src/dialects/registry.ts';
import { findTarget } from '../../src/dialects/target.ts';
import type { Arrival } from '../../src/exchange/arrival.ts';
import { Lookup } from '../../src/exchange/lookup.ts';
import { keptAnswer, keyring, silent } from '../fixtures/cache.ts';

const { providers, defaults } = configSchema.parse({});
const held = createByteBudget(2 ** 20);
const cache = createCache({ redis: null, cold: null, keyring, held, now: Date.now, log: silent });

function call(path: string, body: object, headers: Record<string, string> = {}): Lookup {
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
    policy: defaults,
    access: { providers: [], models: [], mayTag: true, providerKey: () => null },
    ownCredential: null,
    credential: null,
    edit: { set: {}, remove: [] },
  };
  const head = { method: 'POST', path, headers: new Map(Object.entries(headers)), ip: '', ended: false };
  const services = { cache, held, relay: null, now: Date.now, fingerprint: (text: string) => text };
  const asked = { arrival, facts };
  return new Lookup({ head, asking: asked, served: asked, filter: null }, services);
}

function kept(contentType: string, body: string, streamed = false): KeptAnswer {
  return keptAnswer({ contentType, streamed, pieces: [Buffer.from(body)] });
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
  assert.deepEqual(plain.give(answer)?.body, answer.pieces[0]);
  const stream = streamed.give(answer);
  assert.match(stream?.contentType ?? '', /^text\/event-stream/);
  assert.match(stream?.body.toString() ?? '', /"content":"Hello"[\s\S]*data: \[DONE\]\n\n$/);
  assert(!stream?.body.includes('"usage"'), 'it did not ask for it');
  assert.equal(plain.give(kept('text/event-stream', 'data: [DONE]\n\n', true)), null);
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
  const asList = list.give(answer);
  assert(asList && Array.isArray(JSON.parse(asList.body.toString())));
  const keptList = kept(asList.contentType, asList.body.toString(), true);
  assert.match(events.give(keptList)?.body.toString() ?? '', /^data: /);
  assert.deepEqual(
    JSON.parse(plain.give(keptList)?.body.toString() ?? ''),
    JSON.parse(answer.pieces.join('')),
  );

  const keys = ['2023-06-01', '2024-01-01'].flatMap((version) => {
    const headers = { 'anthropic-version': version };
    const withBeta = { ...headers, 'anthropic-beta': 'x' };
    return [headers, withBeta].map((each) => call('/v1/messages', { model: 'm' }, each).key);
  });
  assert.equal(new Set(keys).size, 4);
});
