import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { type MockProvider, startProvider } from '../fixtures/provider.ts';
import { startWeir, type TestWeir } from '../fixtures/weir.ts';

let provider: MockProvider;
let other: MockProvider;
/** Answers to Anthropic's and Google's calls with what it got. */
let native: MockProvider;
let weir: TestWeir;
before(async () => {
  provider = await startProvider({ key: 'sk-of-the-house' });
  other = await startProvider({ key: 'sk-of-the-other' });
  native = await startProvider();
  weir = await startWeir({
    config: {
      providers: {
        openai: { base_url: `${provider.url}/v1`, api_key: 'sk-of-the-house' },
        anthropic: { base_url: native.url, api_key: 'sk-ant' },
        gemini: { base_url: native.url, api_key: 'g-key' },
        other: { api: 'openai', base_url: `${other.url}/openai/v1`, api_key: 'sk-of-the-other' },
      },
      defaults: {
        limits: [],
        routing: {
          mode: 'on',
          tables: {
            elsewhere: Object.fromEntries(
              ['simple', 'medium', 'complex'].map((level) => [
                level,
                { cost: 'other/gpt-4o-mini', latency: 'other/gpt-4o-mini', quality: 'gpt-4o' },
              ]),
            ),
          },
        },
      },
    },
  });
});
after(async () => {
  await weir.stop();
  await provider.stop();
  await other.stop();
  await native.stop();
});

const client = (path = '/v1', headers: Record<string, string> = {}) =>
  new OpenAI({
    baseURL: `${weir.egress}${path}`,
    apiKey: weir.callKey,
    maxRetries: 0,
    defaultHeaders: headers,
  });
type Extra = Record<string, unknown>;
type Params = OpenAI.ChatCompletionCreateParamsNonStreaming;
const ask = (model: string, content: string, extra: Extra = {}) =>
  ({ model, messages: [{ role: 'user', content }], ...extra }) as Params;
const sent = () => JSON.parse(provider.requests.at(-1)?.body.toString() ?? '{}') as Extra;

/** The SDK's chat, at weir's own path. */
async function smart(body: Extra, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${weir.egress}/v1/smart/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${weir.callKey}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}
const user = (content: string) => [{ role: 'user', content }];

test('a smart call gets the model of the table, and the provider sees an ordinary chat', async () => {
  const reply = await smart({
    messages: user('Classify this mail: buy now'),
    optimize_for: 'cost',
    max_latency_ms: 600_000,
    providers: ['openai'],
  });
  assert.equal(reply.status, 200, await reply.clone().text());
  assert.equal(reply.headers.get('x-weir-complexity'), 'simple');
  assert.equal(reply.headers.get('x-weir-model'), 'gpt-3.5-turbo');
  assert.equal(reply.headers.get('x-weir-provider'), 'openai');
  assert.match(reply.headers.get('x-weir-routing-reason') ?? '', /simple call, best cost: gpt-3.5-turbo/);
  assert(Number(reply.headers.get('x-weir-saved-usd')) > 0);
  assert.deepEqual(Object.keys(sent()).sort(), ['messages', 'model']);
  assert.equal(provider.requests.at(-1)?.path, '/v1/chat/completions');
  assert.equal(sent().model, 'gpt-3.5-turbo');
});

test('optimize_for quality, and a named model to compare with', async () => {
  const reply = await smart({
    model: 'gpt-4',
    messages: user('Tell me of Zürich.'),
    optimize_for: 'quality',
  });
  assert.equal(reply.headers.get('x-weir-model'), 'gpt-4-turbo');
  assert.equal(reply.headers.get('x-weir-complexity'), 'medium');
  assert.equal(reply.headers.get('x-weir-requested-model'), 'gpt-4');
});

test('the SDK’s stream is routed as well, whole and without what weir asked for', async () => {
  const stream = await client('/v1').chat.completions.create({
    ...ask('auto', 'Stream of Zürich?'),
    stream: true,
  });
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  assert.match(chunks[0]?.model ?? '', /^gpt-3\.5-turbo/);
  assert(chunks.every((chunk) => !('usage' in chunk)));
  assert.equal(sent().model, 'gpt-3.5-turbo');
});

test('auto and weir/<profile> work in the ordinary endpoint, to another provider too', async () => {
  const auto = await client().chat.completions.create(ask('auto', 'How far is the moon?')).withResponse();
  assert.equal(auto.response.headers.get('x-weir-model'), 'gpt-3.5-turbo');
  assert.equal(auto.response.headers.get('x-weir-requested-model'), 'auto');
  const elsewhere = await client()
    .chat.completions.create(ask('weir/elsewhere', 'How far is Mars?'))
    .withResponse();
  assert.equal(elsewhere.response.headers.get('x-weir-provider'), 'other');
  const seen = other.requests.at(-1);
  assert.equal(seen?.path, '/openai/v1/chat/completions');
  assert.equal(seen?.headers.authorization, 'Bearer sk-of-the-other');
  assert.equal(JSON.parse(seen?.body.toString() ?? '{}').model, 'gpt-4o-mini');
  const none = await client()
    .chat.completions.create(ask('weir/none', 'How far?'))
    .catch((error: unknown) => error);
  assert(none instanceof OpenAI.BadRequestError);
  assert.equal(none.code, 'unknown_profile');
  assert.match(none.message, /default, current, elsewhere/);
});

test('an ordinary call for a dear model goes to the cheap one; the header and a cheap model keep it', async () => {
  const routed = await client().chat.completions.create(ask('gpt-4', 'What is a weir?')).withResponse();
  assert.match(routed.data.model, /^gpt-3\.5-turbo/);
  assert.equal(routed.response.headers.get('x-weir-requested-model'), 'gpt-4');
  assert(Number(routed.response.headers.get('x-weir-saved-usd')) > 0);
  const off = await client('/v1', { 'x-weir-routing': 'off' })
    .chat.completions.create(ask('gpt-4', 'What is a weir?'))
    .withResponse();
  assert.match(off.data.model, /^gpt-4-2/);
  assert.equal(off.response.headers.get('x-weir-complexity'), null);
  const cheap = await client().chat.completions.create(ask('gpt-4o-mini', 'What is a weir?')).withResponse();
  assert.match(cheap.data.model, /^gpt-4o-mini/);
});

test('the model of the table may speak another dialect: the call is translated, and the answer back', async () => {
  const claude = new Anthropic({ baseURL: weir.egress, apiKey: weir.callKey, maxRetries: 0 });
  const message = { model: 'auto', max_tokens: 100, messages: [{ role: 'user' as const, content: 'Who?' }] };
  const whole = await claude.messages.create(message).withResponse();
  assert.equal(whole.response.headers.get('x-weir-model'), 'gpt-3.5-turbo');
  assert.equal(whole.response.headers.get('x-weir-provider'), 'openai');
  assert.deepEqual([whole.data.type, whole.data.content[0]?.type], ['message', 'text']);
  const streamed = await claude.messages.stream({ ...message, system: 'In a stream.' }).finalMessage();
  assert.equal(streamed.stop_reason, 'end_turn');
  assert(streamed.usage.output_tokens > 0);
  assert.equal(provider.requests.at(-1)?.headers.authorization, 'Bearer sk-of-the-house');
});

test('what cannot be carried over goes to a model of those who speak its form', async () => {
  const post = async (path: string, body: Extra) => {
    const headers = { authorization: `Bearer ${weir.callKey}`, 'content-type': 'application/json' };
    const reply = await fetch(`${weir.egress}${path}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    assert.equal(reply.status, 200, await reply.text());
    return native.requests.at(-1);
  };
  const top = { max_tokens: 100, top_k: 5, messages: user('Who?') };
  const claude = await post('/v1/messages', { model: 'auto', ...top });
  assert.equal(JSON.parse(claude?.body.toString() ?? '{}').model, 'claude-3-haiku');
  assert.deepEqual([claude?.path, claude?.headers['x-api-key']], ['/v1/messages', 'sk-ant']);
  const contents = [{ role: 'user', parts: [{ text: 'Who?' }] }];
  const tools = [{ codeExecution: {} }];
  const gemini = await post('/v1beta/models/weir%2Fcurrent:generateContent', { contents, tools });
  assert.equal(gemini?.path, '/v1beta/models/gemini-3.8-flash:generateContent');
  assert.equal(gemini?.headers['x-goog-api-key'], 'g-key');
  assert.deepEqual(JSON.parse(gemini?.body.toString() ?? '{}'), { contents, tools });
});

test('the own key of an application is for its provider alone', async () => {
  const own = new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey: 'sk-of-the-house', maxRetries: 0 });
  const refused = await own.chat.completions
    .create(ask('weir/elsewhere', 'With my own key?', { providers: ['other'] }))
    .catch((error: unknown) => error);
  assert(refused instanceof OpenAI.BadRequestError);
  assert.equal(refused.code, 'no_model_able');
  assert.match(refused.message, /gpt-4o-mini: there is no key for other/);
});

test('where no model is able each is named with its reason', async () => {
  const audio = { type: 'input_audio', input_audio: { data: 'AA==', format: 'wav' } };
  const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } };
  const reply = await smart({
    messages: [{ role: 'user', content: [{ type: 'text', text: 'What is this?' }, image, audio] }],
    max_latency_ms: 1,
  });
  assert.equal(reply.status, 400);
  assert.equal(reply.headers.get('x-weir-error'), 'no_model_able');
  const { error } = (await reply.json()) as { error: { message: string; code: string } };
  for (const model of ['gpt-3.5-turbo', 'claude-3-haiku', 'gpt-4-turbo', 'claude-3-sonnet', 'gpt-4'])
    assert(error.message.includes(`${model}: `), error.message);
  assert.match(error.message, /it has no images/);
  assert.match(error.message, /claude-3-haiku: [^;]*cannot be carried over to anthropic-messages/);
  assert.match(error.message, /expected to take \d+ ms, more than 1/);
  const wrong = await smart({ messages: user('x'), optimize_for: 'luck' });
  assert.equal(wrong.headers.get('x-weir-error'), 'invalid_routing');
  assert.match(await wrong.text(), /cost, latency, quality/);
});

test('the ledger has what was asked for and used, how hard it was, why, and both costs', async () => {
  const id = (
    await smart({ model: 'gpt-4', messages: user('Yes or no: is this in the ledger?') })
  ).headers.get('x-weir-id');
  let row: Extra = {};
  while (row.id !== id) row = await weir.get(`/analytics/exchanges/${id}`);
  assert.equal(row.requested_model, 'gpt-4');
  assert.match(String(row.model), /^gpt-3\.5-turbo/);
  assert.equal(row.complexity, 'simple');
  assert.equal(row.routing_mode, 'on');
  assert.equal(row.routing_model, 'gpt-3.5-turbo');
  assert.match(String(row.routing_reason), /best cost/);
  assert.equal(row.baseline_model, 'gpt-4');
  // Both models' tokens are made by one tokenizer.
  assert.equal(row.baseline_source, 'provider');
  assert(Number(row.baseline_usd) > 20 * Number(row.cost_usd));
  const { rows } = await weir.get('/analytics/breakdown?group_by=complexity');
  const simple = rows.find(({ group }: { group: Extra }) => group.complexity === 'simple');
  assert(Number(simple.baseline_usd) > Number(simple.cost_usd));
});

interface Explained {
  complexity: string;
  keyword: string;
  decision: string;
  model: string;
  provider: string;
  baseline: Extra;
  bias: number;
  score: number;
  contributions: { contribution: number }[];
  candidates: { model: string; able: boolean; why_not: string[] }[];
}

test('/route/explain tells where a call would go, and why, and sends nothing', async () => {
  const before = provider.requests.length;
  const explain = async (body: Extra, path = '') => {
    const response = await fetch(`${weir.api}/route/explain${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${weir.adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Explained };
  };
  const { status, body } = await explain({
    model: 'gpt-4',
    messages: user('Extract the names.'),
    optimize_for: 'latency',
  });
  assert.equal(status, 200);
  assert.equal(body.complexity, 'simple');
  assert.equal(body.keyword, 'extract');
  assert.deepEqual([body.decision, body.model, body.provider], ['go', 'gpt-3.5-turbo', 'openai']);
  assert.deepEqual(body.baseline, { provider: 'openai', model: 'gpt-4' });
  const sum = body.contributions.reduce((total, each) => total + each.contribution, body.bias);
  assert(Math.abs(sum - body.score) < 1e-9);
  const claude = body.candidates.find(({ model }) => model === 'claude-3-haiku');
  assert.equal(claude?.able, true);
  const bound = await explain({ messages: user('Extract.'), tools: [{ type: 'web_search' }] });
  const carried = bound.body.candidates.find(({ model }) => model === 'claude-3-haiku');
  assert.equal(carried?.able, false);
  assert.match(carried.why_not.join(), /cannot be carried over to anthropic-messages/);
  const kept = await explain({ model: 'gpt-4o-mini', messages: user('Hi') }, '?path=/v1/chat/completions');
  assert.equal(kept.body.decision, 'keep');
  assert.equal((await explain({ input: 'x' }, '?path=/v1/embeddings')).status, 400);
  assert.equal(provider.requests.length, before);
});

test('what the policy or the key does not allow is no candidate; explain and the refusal say so of each', async () => {
  const headers = { authorization: `Bearer ${weir.adminKey}`, 'content-type': 'application/json' };
  const patch = (body: object) =>
    fetch(`${weir.api}/policy`, {
      method: 'PATCH',
      headers: { ...headers, 'content-type': 'application/merge-patch+json' },
      body: JSON.stringify(body),
    });
  const made = await fetch(`${weir.api}/keys`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ scope: 'call', name: 'narrow', models: ['gpt-4'], providers: ['openai'] }),
  });
  assert.equal(made.status, 201, await made.clone().text());
  const { secret } = (await made.json()) as { secret: string };
  const byKey = (extra: Extra, at = 0) =>
    smart({ messages: user(`Of the ${at}th weir?`), ...extra }, { authorization: `Bearer ${secret}` });
  // Processors know a new key within two seconds.
  let allowed = await byKey({});
  for (let at = 1; allowed.status === 401; at++) allowed = await byKey({}, at);
  assert.equal(allowed.headers.get('x-weir-model'), 'gpt-4', await allowed.clone().text());
  assert.match(
    allowed.headers.get('x-weir-routing-reason') ?? '',
    /medium call, best cost: gpt-4, since gpt-3.5-turbo cannot \(The model gpt-3.5-turbo is not allowed for this API key/,
  );
  const none = await byKey({ model: 'weir/elsewhere', providers: ['other'] });
  assert.equal(none.headers.get('x-weir-error'), 'no_model_able');
  const { error } = (await none.json()) as { error: { message: string } };
  assert.match(error.message, /gpt-4o-mini: The provider other is not allowed for this API key/);
  assert.match(error.message, /gpt-4o: the provider openai is not allowed; The model gpt-4o is not allowed/);

  assert.equal((await patch({ models: ['gpt-4*'], providers: ['openai'] })).status, 200);
  const explained = await fetch(`${weir.api}/route/explain`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ messages: user('How far is it?') }),
  });
  const { model, candidates } = (await explained.json()) as Explained;
  const whyNot = Object.fromEntries(candidates.map((each) => [each.model, each.why_not.join('; ')]));
  assert.equal(model, 'gpt-4-turbo');
  assert.match(whyNot['gpt-3.5-turbo'] ?? '', /not allowed for your organization. Allowed models: gpt-4\*/);
  assert.match(
    whyNot['claude-3-sonnet'] ?? '',
    /The provider anthropic is not allowed for your organization/,
  );
  for (let used: string | null = null, at = 0; used !== 'gpt-4-turbo'; at++)
    used = (await smart({ messages: user(`How far is the ${at}th?`) })).headers.get('x-weir-model');
  // The path alone names a provider that is forbidden: who is asked for by name is refused, auto goes elsewhere.
  assert.equal((await patch({ models: null, providers: ['other'] })).status, 200);
  const named = (at: number) =>
    client()
      .chat.completions.create(ask('gpt-4o', `Who may, the ${at}th time?`))
      .catch((error: unknown) => error);
  let refused: unknown = null;
  for (let at = 0; !(refused instanceof OpenAI.PermissionDeniedError); at++) refused = await named(at);
  assert.equal(refused.code, 'provider_not_allowed');
  const open = await client().chat.completions.create(ask('weir/elsewhere', 'Who may?')).withResponse();
  assert.equal(open.response.headers.get('x-weir-provider'), 'other');
  assert.equal((await patch({ models: null, providers: null })).status, 200);
});

test('an organization’s policy in shadow writes down what it would do, and changes nothing', async () => {
  const patch = (routing: object) =>
    fetch(`${weir.api}/policy`, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${weir.adminKey}`, 'content-type': 'application/merge-patch+json' },
      body: JSON.stringify({ routing }),
    });
  const changed = await patch({ mode: 'shadow' });
  assert.equal(changed.status, 200, await changed.clone().text());
  let id: string | null = null;
  let model = '';
  // Processors know a new policy within two seconds.
  for (let at = 0; !/^gpt-4-2/.test(model); at++) {
    const { data, response } = await client()
      .chat.completions.create(ask('gpt-4', `In shadow, the ${at}th time?`))
      .withResponse();
    model = data.model;
    id = response.headers.get('x-weir-id');
    if (/^gpt-4-2/.test(model)) assert.equal(response.headers.get('x-weir-complexity'), null);
  }
  let row: Extra = {};
  while (row.id !== id) row = await weir.get(`/analytics/exchanges/${id}`);
  assert.deepEqual([row.routing_mode, row.routing_model], ['shadow', 'gpt-3.5-turbo']);
  assert(Number(row.routing_usd) > 0 && Number(row.routing_usd) < Number(row.cost_usd) / 20);
  assert.equal(row.baseline_usd, null);
  const { shadow } = await weir.get('/analytics/routing');
  assert(shadow.calls >= 1 && Number(shadow.routed_usd) < Number(shadow.cost_usd));
});
