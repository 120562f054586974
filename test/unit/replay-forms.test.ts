// What of a kept stream is taken out, told anew, put together by a rule, or not given in another form.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KeptReply, WantedForm } from '../../src/dialects/dialect.ts';
import { dialectByName } from '../../src/dialects/registry.ts';

type Json = Record<string, unknown>;

const events = (...list: unknown[]) =>
  list.map((each) => `data: ${typeof each === 'string' ? each : JSON.stringify(each)}\n\n`);

function stream(chunks: string[], contentType = 'text/event-stream'): KeptReply {
  return { contentType, streamed: true, chunks: chunks.map((chunk) => Buffer.from(chunk)) };
}

function given(dialect: string, kept: KeptReply, wanted: Partial<WantedForm>) {
  return dialectByName(dialect).replay?.(kept, {
    streamed: false,
    usage: null,
    path: '',
    labels: {},
    ...wanted,
  });
}

const whole = (dialect: string, chunks: string[], wanted: Partial<WantedForm> = {}): Json | null => {
  const reply = given(dialect, stream(chunks), wanted);
  return reply ? JSON.parse(Buffer.concat(reply.chunks).toString()) : null;
};

const usage = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 };
const chunk = (delta: Json, more: Json = {}) => ({
  id: 'c',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'm',
  choices: [{ index: 0, delta, finish_reason: null }],
  ...more,
});
const end = { id: 'c', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] };
/** A chat stream of these deltas. */
const chat = (...deltas: Json[]) =>
  events(...deltas.map((delta) => chunk(delta)), end, { id: 'c', choices: [], usage }, '[DONE]');
const messageOf = (chunks: string[]): unknown =>
  (whole('openai-chat', chunks)?.choices as { message: unknown }[] | undefined)?.[0]?.message ?? null;

test('a chat stream is given with its usage to those who asked, and without to the others', () => {
  const said = [chunk({ content: 'Hi' }, { usage: null }), { ...end, usage: null }];
  const record = stream(events(...said, { id: 'c', choices: [], usage }, '[DONE]'));
  assert.deepEqual(given('openai-chat', record, { streamed: true, usage: true })?.chunks, record.chunks);
  assert.deepEqual(given('openai-chat', record, { streamed: true, usage: null })?.chunks, record.chunks);
  const without = given('openai-chat', record, { streamed: true, usage: false });
  assert.equal(
    Buffer.concat(without?.chunks ?? []).toString(),
    events(chunk({ content: 'Hi' }), end, '[DONE]').join(''),
  );
  assert.equal(without?.chunks.length, 3, 'and no chunk that is empty');

  const silent = stream(events(chunk({ content: 'It says "usage":{' }), end, '[DONE]'));
  assert.equal(given('openai-chat', silent, { streamed: true, usage: true }), null);
  assert.deepEqual(given('openai-chat', silent, { streamed: true, usage: false })?.chunks, silent.chunks);
  assert.equal(given('openai-chat', silent, {}), null, 'a plain answer tells its usage');
});

test('a plain chat answer is streamed with `usage: null` in each chunk where usage was asked for', () => {
  const answer = {
    id: 'c',
    object: 'chat.completion',
    created: 1,
    model: 'm',
    choices: [{ index: 0, message: { role: 'assistant', content: 'Hi' }, finish_reason: 'stop' }],
    usage,
  };
  const kept = {
    contentType: 'application/json',
    streamed: false,
    chunks: [Buffer.from(JSON.stringify(answer))],
  };
  const told = (asked: boolean | null) =>
    (given('openai-chat', kept, { streamed: true, usage: asked })?.chunks ?? []).flatMap((each) => {
      const data = each.toString().slice('data: '.length);
      return data.startsWith('[DONE]') ? ['done'] : [JSON.parse(data).usage];
    });
  assert.deepEqual(told(true), [null, null, null, usage, 'done']);
  assert.deepEqual(told(false), [undefined, undefined, undefined, 'done']);
  assert.deepEqual(told(null), [undefined, undefined, undefined, usage, 'done']);
  const { usage: _, ...silent } = answer;
  assert.equal(
    given(
      'openai-chat',
      { ...kept, chunks: [Buffer.from(JSON.stringify(silent))] },
      { streamed: true, usage: true },
    ),
    null,
  );
});

test('what providers add to a chat stream is put together by its rule', () => {
  assert.deepEqual(
    messageOf(
      chat(
        { role: 'assistant', content: null, reasoning_content: 'Let ' },
        {
          role: 'assistant',
          reasoning_content: 'me.',
          reasoning_details: [{ type: 'reasoning.text', index: 0, text: 'Let ' }],
        },
        { content: 'Hi ', reasoning_details: [{ type: 'reasoning.text', index: 0, text: 'me.' }] },
        {
          content: 'you',
          reasoning_details: [{ type: 'reasoning.text', index: 0, signature: 's' }],
          unheard_of: 'x',
        },
        { annotations: [{ a: 1 }] },
        {
          annotations: [{ a: 2 }],
          audio: { id: 'a', data: Buffer.from('ab').toString('base64'), transcript: 'T' },
        },
        { audio: { data: Buffer.from('cd').toString('base64'), transcript: 'u', expires_at: 9 } },
      ),
    ),
    {
      role: 'assistant',
      content: 'Hi you',
      reasoning_content: 'Let me.',
      reasoning_details: [{ type: 'reasoning.text', index: 0, text: 'Let me.', signature: 's' }],
      unheard_of: 'x',
      annotations: [{ a: 1 }, { a: 2 }],
      audio: { id: 'a', data: Buffer.from('abcd').toString('base64'), transcript: 'Tu', expires_at: 9 },
    },
  );
  const thought = (said: string) => ({
    content: [{ type: 'thinking', thinking: [{ type: 'text', text: said }] }],
  });
  assert.deepEqual(
    messageOf(
      chat(
        { role: 'assistant', content: '' },
        thought('Hm'),
        thought('m.'),
        { content: 'Hi' },
        { content: '!' },
      ),
    ),
    {
      role: 'assistant',
      content: [
        { type: 'thinking', thinking: [{ type: 'text', text: 'Hmm.' }] },
        { type: 'text', text: 'Hi!' },
      ],
    },
  );
  const call = (index: number, more: Json) => ({ tool_calls: [{ index, ...more }] });
  assert.deepEqual(
    messageOf(
      chat(
        { role: 'assistant', content: null },
        call(1, { id: 'b', type: 'function', function: { name: 'g', arguments: '' } }),
        call(0, { id: 'a', type: 'function', function: { name: 'f', arguments: '{"x"' } }),
        call(1, { id: '', function: { arguments: '{}' } }),
        call(0, { id: 'a', function: { name: 'f', arguments: ':1}' } }),
      ),
    ),
    {
      role: 'assistant',
      content: null,
      tool_calls: [
        { id: 'a', type: 'function', function: { name: 'f', arguments: '{"x":1}' } },
        { id: 'b', type: 'function', function: { name: 'g', arguments: '{}' } },
      ],
    },
  );
});

test('Groq’s usage and Azure’s first chunk have their place in the whole', () => {
  const groq = whole(
    'openai-chat',
    events(
      chunk({ role: 'assistant', content: 'Hi' }, { x_groq: { id: 'req' } }),
      { ...end, x_groq: { id: 'req', usage } },
      '[DONE]',
    ),
  );
  assert.deepEqual([groq?.x_groq, groq?.usage, groq?.object], [{ id: 'req' }, usage, 'chat.completion']);
  const filter = [{ prompt_index: 0 }];
  const azure = whole(
    'openai-chat',
    events(
      { id: '', created: 0, model: '', object: '', choices: [], prompt_filter_results: filter },
      ...chat({ role: 'assistant', content: 'Hi' }).map((event) => event.slice('data: '.length).trim()),
    ),
  );
  assert.deepEqual([azure?.id, azure?.model, azure?.prompt_filter_results], ['c', 'm', filter]);
});

test('what cannot be put together soundly is not given', () => {
  const not = (chunks: string[]) => assert.equal(whole('openai-chat', chunks), null);
  not(chat({ content: 'Hi', unheard_of: 'a' }, { unheard_of: 'b' }));
  not(chat({ content: 'ha', unheard_of: 'ha' }, { unheard_of: 'ha' }));
  not(chat({ content: 'Hi' }, { content: { parts: 1 } }));
  not(
    chat(
      { tool_calls: [{ index: 0, id: 'a', function: { name: 'f', arguments: '{}' } }] },
      { tool_calls: [{ index: 0, id: 'b', function: { name: 'g', arguments: '{}' } }] },
    ),
  );
  not([...chat({ content: 'Hi' }), 'data: {"id":\n\n']);
  not([...chat({ content: 'Hi' }), 'data: what\n\n']);
  not(events(chunk({ content: 'Hi' }), { choices: [], usage }, '[DONE]'));
  not(events(chunk({ content: 'Hi' }), { ...end, id: 'another' }, { choices: [], usage }, '[DONE]'));
  const claude = (...more: Json[]) =>
    events(
      { type: 'message_start', message: { type: 'message', content: [], usage: {} } },
      ...more,
      { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: {} },
      { type: 'message_stop' },
    );
  assert(whole('anthropic-messages', claude({ type: 'ping' })));
  assert.equal(whole('anthropic-messages', claude({ type: 'unheard_of' })), null);
  const start = { type: 'content_block_start', index: 0, content_block: { type: 'tool_use', input: {} } };
  const piece = (delta: Json) => ({ type: 'content_block_delta', index: 0, delta });
  assert.equal(whole('anthropic-messages', claude(start, piece({ type: 'unheard_of_delta' }))), null);
  assert.equal(
    whole('anthropic-messages', claude(start, piece({ type: 'input_json_delta', partial_json: '{"cut' }))),
    null,
  );
  const gemini = (part: Json) =>
    events({ candidates: [{ content: { parts: [part] }, finishReason: 'STOP' }] });
  assert(whole('gemini-generate', gemini({ text: 'Hi' })));
  assert.equal(whole('gemini-generate', gemini({ functionCall: { name: 'f', willContinue: true } })), null);
  assert.equal(
    whole(
      'cohere-chat',
      events({ type: 'message-start', id: 'x' }, { type: 'debug' }, { type: 'message-end', delta: {} }),
    ),
    null,
  );
  const large = stream(
    events(chunk({ content: 'x'.repeat(5 * 1024 * 1024) }), end, { choices: [], usage }, '[DONE]'),
  );
  assert.equal(given('openai-chat', large, {}), null);
  assert.deepEqual(given('openai-chat', large, { streamed: true })?.chunks, large.chunks);
});

test('Anthropic’s end of a message replaces the counts of its beginning, and names the model that took over', () => {
  const message = whole(
    'anthropic-messages',
    events(
      {
        type: 'message_start',
        message: {
          type: 'message',
          model: 'a',
          content: [],
          stop_reason: null,
          usage: { input_tokens: 9, cache_read_input_tokens: 5, service_tier: 'standard' },
        },
      },
      { type: 'content_block_start', index: 0, content_block: { type: 'fallback', to: { model: 'b' } } },
      { type: 'content_block_stop', index: 0 },
      {
        type: 'message_delta',
        delta: { stop_reason: 'end_turn' },
        usage: { cache_read_input_tokens: 0, output_tokens: 2 },
        context_management: { applied_edits: [] },
      },
      { type: 'message_stop' },
    ),
  );
  assert.deepEqual(message, {
    type: 'message',
    model: 'b',
    content: [{ type: 'fallback', to: { model: 'b' } }],
    stop_reason: 'end_turn',
    usage: { input_tokens: 9, cache_read_input_tokens: 0, service_tier: 'standard', output_tokens: 2 },
    context_management: { applied_edits: [] },
  });
});

test('numbers stay as the provider wrote them', () => {
  const input = '{"a":1.0,"b":12345678901234567890,"c":1e5,"d":-0}';
  const chunks = [
    ...events({ type: 'message_start', message: { type: 'message', content: [], usage: {} } }),
    'data: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","input":{}}}\n\n',
    ...[input.slice(0, 9), input.slice(9)].map(
      (partial_json) =>
        events({
          type: 'content_block_delta',
          index: 0,
          delta: { type: 'input_json_delta', partial_json },
        })[0] ?? '',
    ),
    ...events(
      { type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: {} },
      { type: 'message_stop' },
    ),
  ];
  const reply = given('anthropic-messages', stream(chunks), {});
  const plain = Buffer.concat(reply?.chunks ?? []).toString();
  assert(plain.includes(`"input":${input}`), plain);
  const kept = { contentType: 'application/json', streamed: false, chunks: [Buffer.from(plain)] };
  const again = given('anthropic-messages', kept, { streamed: true });
  const told = [
    ...Buffer.concat(again?.chunks ?? [])
      .toString()
      .matchAll(/^data: (.*)$/gm),
  ];
  const pieces = told.map(([, data = '']) => JSON.parse(data).delta?.partial_json ?? '');
  assert.equal(pieces.join(''), input);
});

test('a response tells the labels of the request that it now answers, and is else as it was', () => {
  const response = {
    id: 'r',
    status: 'completed',
    metadata: { of: 'a' },
    user: null,
    temperature: 1,
    output: [],
  };
  const text = JSON.stringify(response).replace('"temperature":1', '"temperature": 1.0');
  const kept = { contentType: 'application/json', streamed: false, chunks: [Buffer.from(text)] };
  const own = { metadata: { of: 'a' }, user: null };
  const others = { metadata: {}, user: 'b', safety_identifier: 'c' };
  assert.deepEqual(given('openai-responses', kept, { labels: own })?.chunks, kept.chunks);
  const told = text.replace('{"of":"a"}', '{}').replace('"user":null', '"user":"b"').replace(' 1.0', '1.0');
  assert.equal(
    Buffer.concat(given('openai-responses', kept, { labels: others })?.chunks ?? []).toString(),
    told,
  );

  const delta =
    'event: response.output_text.delta\ndata: {"type": "response.output_text.delta", "delta": "Hi"}\n\n';
  const line = (type: string, json: string) =>
    `event: ${type}\ndata: {"type":"${type}","response":${json}}\n\n`;
  const record = line('response.created', text) + delta + line('response.completed', text);
  const cut = [record.slice(0, 50), record.slice(50, 300), record.slice(300)];
  assert.deepEqual(
    given('openai-responses', stream(cut), { streamed: true, labels: own })?.chunks.map(String),
    cut,
  );
  const streamed = given('openai-responses', stream(cut), { streamed: true, labels: others });
  assert.equal(
    Buffer.concat(streamed?.chunks ?? []).toString(),
    line('response.created', told) + delta + line('response.completed', told),
  );
  assert.deepEqual(whole('openai-responses', cut, { labels: others }), JSON.parse(told));
});
