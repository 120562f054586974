import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { type MockProvider, startProvider } from '../fixtures/provider.ts';
import { startWeir, type TestWeir } from '../fixtures/weir.ts';

let provider: MockProvider;
let weir: TestWeir;
before(async () => {
  provider = await startProvider({ key: 'sk-of-the-house' });
  weir = await startWeir({
    config: { providers: { openai: { base_url: `${provider.url}/v1`, api_key: 'sk-of-the-house' } } },
  });
});
after(async () => {
  await weir.stop();
  await provider.stop();
});

const direct = () => new OpenAI({ baseURL: `${provider.url}/v1`, apiKey: 'sk-of-the-house', maxRetries: 0 });
const through = (headers: Record<string, string> = {}) =>
  new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey: weir.callKey, maxRetries: 0, defaultHeaders: headers });

type Params = OpenAI.ChatCompletionCreateParams;
const ask = (content: string): OpenAI.ChatCompletionCreateParamsNonStreaming => ({
  model: 'gpt-4o',
  messages: [{ role: 'user', content }],
});

/** What an SDK gives, without what differs from call to call. */
function stable(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, each) => (key === 'id' || key === '_request_id' ? 'id' : each)),
  );
}

async function streamed(client: OpenAI, params: Params): Promise<unknown[]> {
  const chunks: unknown[] = [];
  for await (const chunk of await client.chat.completions.create({ ...params, stream: true }))
    chunks.push(chunk);
  return chunks;
}

const tools: OpenAI.ChatCompletionTool[] = [
  {
    type: 'function',
    function: {
      name: 'get_weather',
      parameters: { type: 'object', properties: { city: { type: 'string' } } },
    },
  },
];
const image = 'data:image/png;base64,iVBORw0KGgo=';
const forms: [name: string, params: Params][] = [
  ['a plain question', ask('Where is Zürich?')],
  ['several choices', { ...ask('Choose.'), n: 3 }],
  ['tools', { ...ask('Weather?'), tools }],
  [
    'an image',
    {
      model: 'gpt-4o',
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What?' },
            { type: 'image_url', image_url: { url: image } },
          ],
        },
      ],
    },
  ],
  ['an answer that is cut', { ...ask('Long?'), max_tokens: 3 }],
];

for (const [name, params] of forms) {
  test(`${name}: plain and streamed, the SDK gets what the provider says`, async () => {
    // The streams are the provider's own, not made of the plain answer that is kept by then.
    const past = () => through({ 'x-weir-cache': 'bypass' });
    assert.deepEqual(
      stable(await through().chat.completions.create(params)),
      stable(await direct().chat.completions.create(params)),
    );
    assert.deepEqual(stable(await streamed(past(), params)), stable(await streamed(direct(), params)));
    const usage = { ...params, stream_options: { include_usage: true } };
    assert.deepEqual(stable(await streamed(past(), usage)), stable(await streamed(direct(), usage)));
  });
}

test('the second time nobody asks the provider, plain and streamed', async () => {
  const question = ask('Is this kept?');
  const first = await through().chat.completions.create(question).withResponse();
  const stream = await streamed(through(), question);
  const asked = provider.requests.length;
  const again = await through().chat.completions.create(question).withResponse();
  assert.deepEqual(again.data, first.data);
  assert.deepEqual(await streamed(through(), question), stream);
  assert.equal(provider.requests.length, asked);
  assert.equal(first.response.headers.get('x-weir-cache'), 'miss');
  assert.equal(again.response.headers.get('x-weir-cache'), 'hit');
  assert.equal(again.response.headers.get('x-weir-saved-usd'), first.response.headers.get('x-weir-cost-usd'));
  assert.match(first.response.headers.get('x-weir-cost-usd') ?? '', /^0\.\d+$/);
});

test('an answer that is kept is given in either form, and the SDK makes the same of both', async () => {
  const question = { ...ask('In which form?'), tools, n: 2 };
  const plain = await through().chat.completions.create(question);
  const asked = provider.requests.length;
  const { chat } = through({ 'x-weir-cache': 'only' });
  const usage = { ...question, stream: true as const, stream_options: { include_usage: true } };
  const stream = await chat.completions.stream(usage).finalChatCompletion();
  assert.equal(provider.requests.length, asked);
  const without = (value: unknown) =>
    JSON.parse(JSON.stringify(value, (key, each) => (key === 'parsed' || each === null ? undefined : each)));
  assert.deepEqual(without(stream), without(plain));
  const silent = await streamed(through({ 'x-weir-cache': 'only' }), question);
  assert(!JSON.stringify(silent).includes('"usage"'), 'it did not ask for it');
});

test('an error of the provider reaches the SDK as it is', async () => {
  for (const status of ['429', '500', '503']) {
    const failing = { 'x-mock-status': status };
    const expected = await new OpenAI({
      baseURL: `${provider.url}/v1`,
      apiKey: 'sk-of-the-house',
      maxRetries: 0,
      defaultHeaders: failing,
    }).chat.completions
      .create(ask('Fail.'))
      .catch((error: unknown) => error);
    const found = await through(failing)
      .chat.completions.create(ask('Fail.'))
      .catch((error: unknown) => error);
    assert(expected instanceof OpenAI.APIError && found instanceof OpenAI.APIError);
    assert.equal(found.constructor, expected.constructor);
    assert.deepEqual(
      [found.status, found.message, found.code, found.type],
      [expected.status, expected.message, expected.code, expected.type],
    );
    assert.equal(found.headers?.get('retry-after'), expected.headers?.get('retry-after'));
  }
  await assert.rejects(
    through().chat.completions.create({ ...ask('x'), model: 'gpt-none' }),
    OpenAI.NotFoundError,
  );
});

test('a weir key that is not known is an authentication error of the SDK', async () => {
  const client = new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey: 'weir_sk_unknown', maxRetries: 0 });
  await assert.rejects(client.chat.completions.create(ask('Who am I?')), OpenAI.AuthenticationError);
});

test('the key of the caller stays in the house, and the provider sees none of its headers', async () => {
  await through({
    'x-weir-user': 'ann',
    'x-weir-internal-cluster': 'elsewhere',
    'x-weir-anything': '1',
  }).chat.completions.create(ask('What do you see?'));
  const seen = provider.requests.at(-1);
  assert.equal(seen?.headers.authorization, 'Bearer sk-of-the-house');
  const names = Object.keys(seen?.headers ?? {});
  assert.deepEqual(
    names.filter((name) => /^x-(weir|envoy|forwarded|request-id)/.test(name)),
    [],
  );
  assert.equal(seen?.headers.host, new URL(provider.url).host);
});

test('an own key passes, and a wrong one is the provider’s to refuse', async () => {
  const own = new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey: 'sk-of-the-house', maxRetries: 0 });
  await own.chat.completions.create(ask('With my own key.'));
  assert.equal(provider.requests.at(-1)?.headers.authorization, 'Bearer sk-of-the-house');
  const wrong = new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey: 'sk-wrong', maxRetries: 0 });
  await assert.rejects(wrong.chat.completions.create(ask('With a wrong key.')), OpenAI.AuthenticationError);
});

test('what weir does not read passes untouched', async () => {
  assert((await through().models.list()).data.length > 0);
  const body = Buffer.from([0, 1, 2, 255, 254, 10, 13]);
  const response = await fetch(`${weir.egress}/providers/openai/v1/anything?a=b%20c`, {
    method: 'PUT',
    body,
    headers: {
      authorization: `Bearer ${weir.callKey}`,
      'content-type': 'application/octet-stream',
      'accept-encoding': 'br',
    },
  });
  assert.deepEqual(Buffer.from(await response.arrayBuffer()), body);
  const seen = provider.requests.at(-1);
  assert.equal(seen?.path, '/v1/anything?a=b%20c');
  assert.equal(seen?.headers['accept-encoding'], 'br');
});

test('a path of nobody is told the ways that there are', async () => {
  const response = await fetch(`${weir.egress}/nowhere`, { method: 'POST', body: '{}' });
  assert.equal(response.status, 404);
  assert.equal(response.headers.get('x-weir-error'), 'unknown_path');
  assert.match(await response.text(), /providers.*openai/);
});
