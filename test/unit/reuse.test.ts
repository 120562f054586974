// What a request's answer may be kept for, and how a reply has to end for it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerHeaders, answerPath } from '../../src/dialects/answer-key.ts';
import type { ReplyFacts, RequestFacts } from '../../src/dialects/dialect.ts';
import { dialectByName } from '../../src/dialects/registry.ts';

function read(dialect: string, request: object): RequestFacts {
  const facts = dialectByName(dialect).readRequest(
    Buffer.from(JSON.stringify(request)),
    '/models/m:generateContent',
  );
  assert(facts);
  return facts;
}

const head = { status: 200, contentType: 'application/json', headers: new Map() };
const reply = (dialect: string, body: object): ReplyFacts =>
  dialectByName(dialect).readReply(Buffer.from(JSON.stringify(body)), head);

const user = (content: unknown) => ({ messages: [{ role: 'user', content }] });
const address = { url: 'https://example.com/x.png' };
const data = { url: 'data:image/png;base64,AAAA' };

test('labels and the form do not count, all else does', () => {
  const base = { model: 'm', ...user('Hi') };
  const free: Record<string, object> = {
    'openai-chat': {
      stream: true,
      stream_options: { include_usage: true },
      user: 'u',
      metadata: { a: 'b' },
      safety_identifier: 's',
      prompt_cache_key: 'k',
      service_tier: 'flex',
    },
    'openai-responses': { stream: true, user: 'u', metadata: { a: 'b' }, service_tier: 'priority' },
    'anthropic-messages': { stream: true, metadata: { user_id: 'u' }, service_tier: 'standard_only' },
    'gemini-generate': { labels: { team: 'a' }, serviceTier: 'flex' },
    'cohere-chat': { stream: true, priority: 3 },
  };
  for (const [dialect, members] of Object.entries(free)) {
    assert.equal(read(dialect, { ...members, ...base }).hash, read(dialect, base).hash, dialect);
    for (const more of [
      { temperature: 0 },
      { store: false },
      { max_tokens: 1 },
      { unheard_of: 1 },
      { model: 'n' },
    ]) {
      assert.notEqual(
        read(dialect, { ...base, ...more }).hash,
        read(dialect, base).hash,
        `${dialect} ${JSON.stringify(more)}`,
      );
    }
  }
});

test('a response repeats labels: those of the request are known', () => {
  assert.deepEqual(read('openai-responses', { metadata: { a: 'b' }, user: 7 }).labels, {
    metadata: { a: 'b' },
    user: null,
    safety_identifier: null,
    prompt_cache_key: null,
  });
  assert.deepEqual(read('openai-chat', { metadata: { a: 'b' } }).labels, {});
});

test('what rests on more than the request, or leaves something behind, is never kept', () => {
  const never: [string, object][] = [
    ['openai-chat', { store: true }],
    ['openai-chat', { web_search_options: {}, tools: [{ type: 'web_search' }] }],
    ['openai-chat', { model: 'gpt-4o-search-preview' }],
    ['openai-chat', { model: 'perplexity/sonar-pro' }],
    ['openai-chat', { plugins: [{ id: 'web' }] }],
    ['openai-chat', { tools: [{ type: 'openrouter:web_search' }] }],
    ['openai-chat', user([{ type: 'image_url', image_url: address }])],
    ['openai-chat', user([{ type: 'document_url', document_url: address.url }])],
    ['openai-chat', { modalities: ['text', 'audio'] }],
    ['openai-chat', { messages: [{ role: 'assistant', audio: { id: 'audio_1' } }] }],
    ['openai-responses', { previous_response_id: 'resp_1' }],
    ['openai-responses', { conversation: 'conv_1' }],
    ['openai-responses', { background: true }],
    ['openai-responses', { store: true }],
    ['openai-responses', { input: [{ type: 'item_reference', id: 'msg_1' }] }],
    ['openai-responses', { prompt: { id: 'pmpt_1' } }],
    ['openai-responses', { tools: [{ type: 'code_interpreter', container: { type: 'auto' } }] }],
    ['openai-responses', { tools: [{ type: 'computer_use_preview' }] }],
    ['openai-responses', { tools: [{ type: 'namespace', tools: [{ type: 'mcp' }] }] }],
    [
      'openai-responses',
      { input: [{ role: 'user', content: [{ type: 'input_image', image_url: address.url }] }] },
    ],
    [
      'openai-responses',
      { input: [{ type: 'function_call_output', output: [{ type: 'input_file', file_url: address.url }] }] },
    ],
    ['anthropic-messages', { container: 'container_1' }],
    ['anthropic-messages', { thread: { type: 'create' } }],
    ['anthropic-messages', { mcp_servers: [{ url: 'https://example.com' }] }],
    ['anthropic-messages', { tools: [{ type: 'web_search_20250305', name: 'web_search' }] }],
    ['anthropic-messages', user([{ type: 'image', source: { type: 'url', ...address } }])],
    ['gemini-generate', { cachedContent: 'cachedContents/1' }],
    ['gemini-generate', { tools: [{ functionDeclarations: [] }, { googleSearch: {} }] }],
    ['gemini-generate', { contents: [{ parts: [{ fileData: { fileUri: 'gs://bucket/x' } }] }] }],
    ['gemini-embeddings', { instances: [{ image: { gcsUri: 'gs://bucket/x' } }] }],
    ['cohere-chat', { connectors: [{ id: 'web-search' }] }],
    ['bedrock-converse', {}],
    ['bedrock-invoke', {}],
  ];
  for (const [dialect, request] of never) {
    assert.equal(read(dialect, request).repeatable, false, `${dialect} ${JSON.stringify(request)}`);
  }
});

test('what the request holds itself, or names by an id that never changes, may be kept', () => {
  const may: [string, object][] = [
    ['openai-chat', { store: false, tools: [{ type: 'function' }, { type: 'custom' }], background: false }],
    [
      'openai-chat',
      user([
        { type: 'image_url', image_url: data },
        { type: 'file', file: { file_id: 'file-1' } },
      ]),
    ],
    ['openai-responses', { store: false, background: false, previous_response_id: null, conversation: null }],
    [
      'openai-responses',
      { tools: [{ type: 'image_generation' }, { type: 'namespace', tools: [{ type: 'function' }] }] },
    ],
    ['openai-responses', { prompt: { id: 'pmpt_1', version: '2' } }],
    [
      'openai-responses',
      {
        input: [
          {
            role: 'user',
            content: [
              { type: 'input_image', image_url: data.url },
              { type: 'input_file', file_id: 'file-1' },
            ],
          },
        ],
      },
    ],
    ['anthropic-messages', { tools: [{ name: 'own' }, { type: 'custom' }, { type: 'bash_20250124' }] }],
    ['anthropic-messages', user([{ type: 'document', source: { type: 'file', file_id: 'file_1' } }])],
    ['gemini-generate', { tools: [{ functionDeclarations: [] }, { function_declarations: [] }] }],
    [
      'gemini-generate',
      {
        contents: [
          { parts: [{ fileData: { fileUri: 'https://generativelanguage.googleapis.com/v1beta/files/1' } }] },
        ],
      },
    ],
    ['cohere-chat', user([{ type: 'image_url', image_url: data }])],
  ];
  for (const [dialect, request] of may) {
    assert(read(dialect, request).repeatable, `${dialect} ${JSON.stringify(request)}`);
  }
});

test('temperature 0 or a seed asks for the same answer each time', () => {
  const asks = (dialect: string, request: object) => read(dialect, request).deterministic;
  assert(
    asks('openai-chat', { temperature: 0 }) &&
      asks('openai-chat', { seed: 0 }) &&
      asks('openai-chat', { random_seed: 1 }),
  );
  assert(asks('openai-responses', { temperature: 0 }) && asks('anthropic-messages', { temperature: 0 }));
  assert(
    asks('gemini-generate', { generationConfig: { temperature: 0 } }) &&
      asks('gemini-generate', { generation_config: { seed: 1 } }),
  );
  assert(asks('cohere-chat', { seed: 1 }) && asks('openai-embeddings', { input: 'x' }));
  for (const dialect of [
    'openai-chat',
    'openai-responses',
    'anthropic-messages',
    'gemini-generate',
    'cohere-chat',
  ])
    assert(!asks(dialect, { temperature: 0.1, seed: null }), dialect);
});

test('only an answer that came to a good end is whole', () => {
  const chat = (...choices: object[]) => reply('openai-chat', { choices });
  assert(chat({ finish_reason: 'stop', message: { refusal: null } }).complete);
  for (const reason of ['content_filter', 'error', 'insufficient_system_resource', '', null])
    assert(!chat({ finish_reason: reason }).complete, `${reason}`);
  assert(!chat({ finish_reason: 'stop', message: { refusal: 'No.' } }).complete);
  assert(!chat({ finish_reason: 'stop' }, { finish_reason: 'content_filter' }).complete);
  assert.equal(chat({ finish_reason: 'stop' }, { finish_reason: 'length' }).finishReason, 'length');

  const response = (more: object) => reply('openai-responses', { output: [], ...more });
  const incomplete = (reason: string) => response({ status: 'incomplete', incomplete_details: { reason } });
  assert(response({ status: 'completed' }).complete && incomplete('max_output_tokens').complete);
  assert(!incomplete('content_filter').complete && !response({ status: 'queued' }).complete);
  assert(!response({ status: 'completed', output: [{ content: [{ type: 'refusal' }] }] }).complete);

  const claude = (stop_reason: string) =>
    reply('anthropic-messages', { type: 'message', stop_reason }).complete;
  assert(claude('end_turn') && claude('max_tokens') && claude('tool_use'));
  for (const reason of ['refusal', 'pause_turn', 'model_context_window_exceeded', 'compaction'])
    assert(!claude(reason), reason);

  const gemini = (...reasons: string[]) =>
    reply('gemini-generate', { candidates: reasons.map((finishReason) => ({ finishReason })) }).complete;
  assert(gemini('STOP') && gemini('STOP', 'MAX_TOKENS'));
  assert(!gemini('SAFETY') && !gemini('STOP', 'RECITATION') && !gemini());
});

test('the two forms of an answer have one path, and what names the model or version counts', () => {
  const path = '/v1beta/models/m:generateContent';
  assert.equal(answerPath('/v1beta/models/m:streamGenerateContent?alt=sse&key=k'), path);
  assert.equal(answerPath(`${path}?key=k`), path);
  assert.equal(answerPath('/x?api-version=1&beta=true'), '/x?api-version=1&beta=true');
  assert(answerHeaders.has('anthropic-beta') && !answerHeaders.has('authorization'));
});
