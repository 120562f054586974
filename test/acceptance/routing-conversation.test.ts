import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { startRedis } from '../fixtures/redis.ts';
import { startWeir } from '../fixtures/weir.ts';

interface Asked {
  model: string;
  stream?: boolean;
  stream_options?: { include_usage?: boolean };
  messages: { role: string; content: string }[];
}

/** A provider in OpenAI's and Anthropic's form that keeps prompts, and tells of it. */
async function startProvider(t: TestContext): Promise<{ url: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const chat = JSON.parse(Buffer.concat(chunks).toString()) as Asked;
      asked.push(chat);
      const tokens = Math.ceil(chat.messages.reduce((sum, { content }) => sum + content.length, 0) / 4);
      if (request.url?.endsWith('/messages')) answerAsAnthropic(response, chat, tokens);
      else answerAsOpenai(response, chat, tokens);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

function answerAsOpenai(response: ServerResponse, { model, stream, stream_options }: Asked, tokens: number) {
  const usage = { prompt_tokens: tokens, completion_tokens: 10, total_tokens: tokens + 10 };
  const common = { id: 'chatcmpl-1', created: 1, model };
  const content = `I am ${model}.`;
  if (!stream) {
    const choices = [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }];
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ ...common, object: 'chat.completion', choices, usage }));
    return;
  }
  response.setHeader('content-type', 'text/event-stream');
  const send = (choices: object[], more: object = {}) =>
    response.write(
      `data: ${JSON.stringify({ ...common, object: 'chat.completion.chunk', choices, ...more })}\n\n`,
    );
  send([{ index: 0, delta: { role: 'assistant', content }, finish_reason: null }]);
  send([{ index: 0, delta: {}, finish_reason: 'stop' }]);
  if (stream_options?.include_usage) send([], { usage });
  response.end('data: [DONE]\n\n');
}

function answerAsAnthropic(response: ServerResponse, { model }: Asked, tokens: number) {
  const usage = { input_tokens: 4, cache_creation_input_tokens: tokens, output_tokens: 10 };
  const content = [{ type: 'text', text: `I am ${model}.` }];
  const message = { id: 'msg_1', type: 'message', role: 'assistant', model, content, usage };
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ ...message, stop_reason: 'end_turn', stop_sequence: null }));
}

const row = (cost: string, quality: string) => ({ cost, latency: cost, quality });
const table = (cost: string, quality: string) => ({
  simple: row(cost, quality),
  medium: row(cost, quality),
  complex: row(cost, quality),
});
const prices = {
  small: { provider: 'openai', price: { input_mtok: '0.5', output_mtok: '2' } },
  large: { provider: 'openai', price: { input_mtok: '2', output_mtok: '8', cache_read_mtok: '0.2' } },
  'claude-small': { provider: 'anthropic', price: { input_mtok: '0.5', output_mtok: '2' } },
  'claude-large': {
    provider: 'anthropic',
    price: { input_mtok: '2', output_mtok: '8', cache_read_mtok: '0.2', cache_write_mtok: '2.5' },
  },
};
const config = (url: string) => ({
  providers: {
    openai: { base_url: `${url}/v1`, api_key: 'k' },
    anthropic: { base_url: url, api_key: 'k' },
  },
  models: prices,
  defaults: {
    limits: [],
    routing: {
      profile: 'house',
      tables: { house: table('small', 'large'), claude: table('claude-small', 'claude-large') },
    },
  },
});

/** Ten thousand tokens by weir's estimate of four characters each. */
const long = 'The river rises. '.repeat(2_352);

test('a conversation stays with the model that has it in its prompt cache, and another does not', async (t) => {
  const redis = await startRedis(t);
  if (!redis) return;
  const provider = await startProvider(t);
  const weir = await startWeir({
    // Over Redis the API's process, which explains, knows what the processor learnt.
    config: { ...config(provider.url), redis: { url: redis.url } },
  });
  t.after(() => weir.stop());
  const client = new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey: weir.callKey, maxRetries: 0 });
  const smart = (messages: Asked['messages'], optimize_for: string) =>
    client
      .post<OpenAI.ChatCompletion>('/smart/completions', {
        body: { messages, optimize_for },
        headers: { 'x-weir-cache': 'bypass' },
      })
      .withResponse();
  const explain = async (body: object, path = '/v1/smart/completions') => {
    const response = await fetch(`${weir.api}/route/explain?path=${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${weir.adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ ...body, optimize_for: 'cost' }),
    });
    return (await response.json()) as {
      model: string;
      reason: string;
      stay: { model: string; cached_tokens: number; stay_usd: number; switch_usd: number; stays: boolean };
    };
  };
  /** Two turns: the first for quality, the second for cost; with what is told of the second before it is sent. */
  const converse = async (opening: string, isKept = true) => {
    const first = [{ role: 'user', content: opening }];
    const { data } = await smart(first, 'quality');
    assert.equal(data.model, 'large');
    const said = { role: 'assistant', content: data.choices[0]?.message.content ?? '' };
    const turns = [...first, said, { role: 'user', content: 'And how high?' }];
    let told = await explain({ messages: turns });
    // What a call taught is told when it is over, which may be after its last byte; and a machine that is busy may
    // miss the deadline of Redis.
    while (isKept && !told.stay) {
      await smart(first, 'quality');
      told = await explain({ messages: turns });
    }
    const second = await smart(turns, 'cost');
    return { told, model: second.data.model, headers: second.response.headers };
  };

  const { told, model, headers } = await converse(long);
  const { cached_tokens, stay_usd, switch_usd, ...stay } = told.stay;
  assert.deepEqual(stay, { model: 'large', stays: true });
  // Some ten thousand tokens: of the cache at $0.2 a million, or anew at $0.5; an answer of 300 at $8, or at $2.
  const input = Math.round((switch_usd * 1e6 - 300 * 2) / 0.5);
  assert(Math.abs(input - long.length / 4) < 20, `${input}`);
  assert(cached_tokens > 9_900 && cached_tokens <= input);
  const expected = ((input - cached_tokens) * 2 + cached_tokens * 0.2 + 300 * 8) / 1e6;
  assert(Math.abs(stay_usd - expected) < 1e-9, `${stay_usd}`);
  assert.deepEqual([told.model, model], ['large', 'large']);
  assert.match(
    told.reason,
    /stays with large, whose prompt cache holds \d+ tokens .* small would cost \$0\.\d+ more/,
  );
  assert.equal(headers.get('x-weir-routing-reason'), told.reason);

  // Too short for a prompt cache.
  const short = await converse('The river rises.', false);
  assert.deepEqual([short.told.stay, short.told.model, short.model], [null, 'small', 'small']);
  assert.match(short.headers.get('x-weir-routing-reason') ?? '', /best cost: small/);

  // Kept, and yet not worth it: an answer of the large model costs more than the prompt saves.
  const middling = await converse('The river rises. '.repeat(300));
  assert.equal(middling.told.stay.stays, false);
  assert(middling.told.stay.switch_usd < middling.told.stay.stay_usd);
  assert.deepEqual([middling.told.model, middling.model], ['small', 'small']);

  // Anthropic tells what it wrote into its cache.
  const defaultHeaders = { 'x-weir-cache': 'bypass' };
  const claude = new Anthropic({ baseURL: weir.egress, apiKey: weir.callKey, maxRetries: 0, defaultHeaders });
  const ask = async (messages: Anthropic.MessageParam[], optimize_for: string) => {
    const body = { model: 'weir/claude', max_tokens: 300, messages, optimize_for };
    return claude.messages.create(body as Anthropic.MessageCreateParamsNonStreaming);
  };
  const opening: Anthropic.MessageParam[] = [{ role: 'user', content: long }];
  const { content } = await ask(opening, 'quality');
  const turns: Anthropic.MessageParam[] = [
    ...opening,
    { role: 'assistant', content },
    { role: 'user', content: 'And?' },
  ];
  const again = { model: 'weir/claude', max_tokens: 300, messages: turns };
  while (!(await explain(again, '/v1/messages')).stay) await ask(opening, 'quality');
  assert.equal((await ask(turns, 'cost')).model, 'claude-large');
  const elsewhere: Anthropic.MessageParam[] = [{ role: 'user', content: `${long}!` }, ...turns.slice(1)];
  assert.equal((await ask(elsewhere, 'cost')).model, 'claude-small');
  assert.deepEqual(
    provider.asked.filter((each) => 'optimize_for' in each),
    [],
  );
});

test('every way in, streamed and plain: headers and ledger name what was asked, used, why, and the saving', async (t) => {
  const provider = await startProvider(t);
  const weir = await startWeir({ config: config(provider.url) });
  t.after(() => weir.stop());
  const client = new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey: weir.callKey, maxRetries: 0 });
  const patch = (routing: object) =>
    fetch(`${weir.api}/policy`, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${weir.adminKey}`, 'content-type': 'application/merge-patch+json' },
      body: JSON.stringify({ routing }),
    });
  const ask = (body: OpenAI.ChatCompletionCreateParams, path: string) => {
    const options = { body, ...(body.stream && { stream: true }) };
    return client
      .post<OpenAI.ChatCompletion & AsyncIterable<OpenAI.ChatCompletionChunk>>(path, options)
      .withResponse();
  };
  let asked = 0;
  const call = async (model: string | null, stream: boolean, path = '/chat/completions') => {
    const messages = [{ role: 'user', content: `Classify as spam or not: mail ${asked++}` }];
    const body = { ...(model !== null && { model }), messages, stream } as OpenAI.ChatCompletionCreateParams;
    const { data, response } = await ask(body, path);
    let text = data.choices?.[0]?.message.content ?? '';
    let used = data.model;
    if (stream)
      for await (const chunk of data) {
        text += chunk.choices[0]?.delta.content ?? '';
        used = chunk.model;
        assert(!('usage' in chunk) && chunk.choices.length > 0);
      }
    assert.equal(text, `I am ${used}.`);
    return { used, headers: response.headers };
  };
  const ledger = async (id: string | null) => {
    for (;;) {
      const found = await weir.get(`/analytics/exchanges/${id}`);
      if (found.id === id && found.outcome !== 'unsettled') return found;
    }
  };

  const ways: [model: string | null, path: string][] = [
    [null, '/smart/completions'],
    ['large', '/smart/completions'],
    ['auto', '/chat/completions'],
    ['weir/house', '/chat/completions'],
  ];
  for (const [model, path] of ways) {
    for (const stream of [false, true]) {
      const { used, headers } = await call(model, stream, path);
      assert.equal(used, 'small');
      assert.equal(headers.get('x-weir-model'), 'small');
      assert.equal(headers.get('x-weir-requested-model'), model);
      assert.equal(headers.get('x-weir-complexity'), 'simple');
      assert.equal(headers.get('x-weir-routing-reason'), 'simple call, best cost: small');
      const row = await ledger(headers.get('x-weir-id'));
      assert.deepEqual(
        [row.requested_model, row.model, row.complexity, row.routing_mode, row.routing_reason, row.stream],
        [model, 'small', 'simple', 'on', 'simple call, best cost: small', row.stream],
      );
      assert.deepEqual(
        [row.baseline_model, row.outcome, row.usage_source],
        ['large', 'completed', 'provider'],
      );
      // Four times the price for the same tokens.
      assert.equal(Number(row.baseline_usd), 4 * Number(row.cost_usd));
      const saving = headers.get('x-weir-saved-usd');
      if (stream) assert.equal(saving, null);
      else assert(Math.abs(Number(saving) - 3 * Number(row.cost_usd)) < 1e-12);
    }
  }

  for (const mode of ['on', 'shadow']) {
    assert.equal((await patch({ mode })).status, 200);
    const expected = mode === 'on' ? 'small' : 'large';
    // Processors know a new policy within two seconds.
    for (;;) {
      const { used, headers } = await call('large', false);
      if (used === expected && (await ledger(headers.get('x-weir-id'))).routing_mode === mode) break;
    }
    for (const stream of [false, true]) {
      const { used, headers } = await call('large', stream);
      assert.equal(used, expected);
      assert.equal(headers.get('x-weir-complexity'), mode === 'on' ? 'simple' : null);
      const row = await ledger(headers.get('x-weir-id'));
      assert.deepEqual(
        [row.requested_model, row.model, row.routing_mode, row.routing_model, row.complexity],
        ['large', expected, mode, 'small', 'simple'],
      );
      const [cost, other] = [
        Number(row.cost_usd),
        Number(mode === 'on' ? row.baseline_usd : row.routing_usd),
      ];
      assert(Math.abs(mode === 'on' ? other - 4 * cost : cost - 4 * other) < 1e-12);
    }
  }
});
