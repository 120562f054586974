// What cannot be put together, and what is told as the provider wrote it, or anew.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chat, chunk, end, events, given, type Json, stream, usage, whole } from '../fixtures/streams.ts';

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
