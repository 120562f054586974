// Forms that the recorded exchanges do not have, made up after the providers' own descriptions.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ReplyFacts } from '../../src/dialects/dialect.ts';
import { findDialect, uninspectedOperation } from '../../src/dialects/registry.ts';
import { upstreamEdit } from '../../src/exchange/outgoing.ts';
import { awsFrame } from '../fixtures/aws-frame.ts';
import { corpusMissing, recordedExchanges, responseBody } from '../fixtures/corpus.ts';

type Api = Parameters<typeof findDialect>[0];

function stream(api: Api, endpoint: string, contentType: string, body: Buffer, size = 5): ReplyFacts {
  const dialect = findDialect(api, 'POST', endpoint);
  const observer = dialect?.observeStream({ status: 200, contentType, headers: new Map() }, endpoint);
  assert(observer, `${endpoint} is a stream`);
  for (let at = 0; at < body.length; at += size) observer.push(body.subarray(at, at + size));
  return observer.facts();
}

const events = (...list: object[]) =>
  Buffer.from(list.map((each) => `data: ${JSON.stringify(each)}\n\n`).join(''));

test('Gemini streams as a growing JSON array tell what they tell as events', { skip: corpusMissing }, () => {
  const endpoint = '/models/gemini-2.5-flash:streamGenerateContent';
  for (const exchange of recordedExchanges('gemini-generate').filter(({ streamed }) => streamed)) {
    const body = responseBody(exchange);
    const chunks = body
      .toString()
      .split('\r\n\r\n')
      .flatMap((event) => (event.startsWith('data: ') ? [event.slice(6)] : []));
    const array = Buffer.from(`[${chunks.join('\n,\r\n')}\n]\n`);
    const told = stream('gemini', endpoint, 'text/event-stream', body, 1_000);
    assert.deepEqual(stream('gemini', endpoint, 'application/json', array, 7), told);
    assert(told.complete && told.usage !== null);
  }
});

test('an error of Gemini’s stream is read whole or as its one element', () => {
  const dialect = findDialect('gemini', 'POST', '/models/m:streamGenerateContent');
  const head = { status: 429, contentType: 'application/json', headers: new Map() };
  const body = Buffer.from('[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}]');
  assert.equal(dialect?.observeStream(head, '/models/m:streamGenerateContent'), null);
  assert.equal(dialect?.readReply(body, head).error, 'RESOURCE_EXHAUSTED');
});

test('Cohere’s stream has its charges at the end', () => {
  const facts = stream(
    'cohere',
    '/chat',
    'text/event-stream',
    events(
      { type: 'message-start', id: 'c1', delta: { message: { role: 'assistant' } } },
      { type: 'content-delta', index: 0, delta: { message: { content: { text: 'Hello' } } } },
      {
        type: 'message-end',
        delta: {
          finish_reason: 'COMPLETE',
          usage: { billed_units: { input_tokens: 3, output_tokens: 1 }, tokens: { input_tokens: 500 } },
        },
      },
    ),
  );
  assert.deepEqual(
    [facts.usage?.input, facts.usage?.output, facts.responseId, facts.finishReason, facts.complete],
    [3, 1, 'c1', 'COMPLETE', true],
  );
  assert.deepEqual(facts.text.texts, ['Hello']);
});

/** A message of `invoke-with-response-stream`: the vendor's event in base64. */
function invokeChunk(event: object): Buffer {
  const bytes = Buffer.from(JSON.stringify(event)).toString('base64');
  return awsFrame('chunk', JSON.stringify({ bytes }));
}

test('Bedrock’s InvokeModel streams: Claude’s own usage, else the metrics of Bedrock', () => {
  const metrics = {
    'amazon-bedrock-invocationMetrics': {
      inputTokenCount: 9,
      outputTokenCount: 4,
      cacheReadInputTokenCount: 2,
    },
  };
  const read = (...list: object[]) =>
    stream(
      'bedrock',
      '/model/x/invoke-with-response-stream',
      'application/vnd.amazon.eventstream',
      Buffer.concat(list.map(invokeChunk)),
    );
  const claude = read(
    { type: 'message_start', message: { id: 'm', usage: { input_tokens: 9, output_tokens: 1 } } },
    { type: 'content_block_delta', delta: { type: 'text_delta', text: 'Hi' } },
    { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 5 } },
    { type: 'message_stop', ...metrics },
  );
  assert.deepEqual(
    [claude.usage?.input, claude.usage?.output, claude.finishReason, claude.complete, claude.model],
    [9, 5, 'end_turn', true, null],
  );
  const llama = read(
    { generation: 'Hi', stop_reason: null },
    { generation: '', stop_reason: 'stop', ...metrics },
  );
  assert.deepEqual(
    [llama.usage?.input, llama.usage?.output, llama.usage?.cacheRead, llama.text.texts],
    [11, 4, 2, ['Hi']],
  );
});

test('legacy completions have their text beside their choices, and a prompt may be tokens', () => {
  const dialect = findDialect('openai', 'POST', '/completions');
  assert.equal(dialect?.name, 'openai-completions');
  const body = {
    model: 'gpt-3.5-turbo-instruct',
    choices: [{ text: ' there', index: 0, finish_reason: 'stop' }],
    usage: { prompt_tokens: 1, completion_tokens: 1 },
  };
  const head = { status: 200, contentType: 'application/json', headers: new Map() };
  const facts = dialect?.readReply(Buffer.from(JSON.stringify(body)), head);
  assert.deepEqual([facts?.text.texts, facts?.complete], [[' there'], true]);
  const prompt = (value: unknown) => dialect?.readPrompt(Buffer.from(JSON.stringify({ prompt: value })));
  assert.deepEqual(prompt(['a', 'b']), { texts: ['a', 'b'], overhead: 0 });
  assert.deepEqual(prompt([1, 2, 3]), { texts: [], overhead: 3 });
});

test('Azure has the deployment in the path and wants its key in a header of its own', () => {
  const endpoint = '/openai/deployments/my%20gpt/chat/completions';
  const dialect = findDialect('openai', 'POST', endpoint);
  assert.equal(dialect?.readRequest(Buffer.from('{}'), endpoint)?.model, 'my gpt');
  const set = (provider: { base_url: string; key_header?: string }) =>
    upstreamEdit({
      head: {
        method: 'POST',
        path: '/',
        headers: new Map([['authorization', 'Bearer weir_x']]),
        ip: '',
        ended: false,
      },
      target: { provider: 'p', path: '/x', endpoint },
      putIn: { api: 'openai', api_key: 'k', ...provider },
      inspected: true,
      plain: false,
    });
  const azure = set({ base_url: 'https://house.openai.azure.com' });
  assert.deepEqual(
    [azure.set['api-key'], azure.set.authorization, azure.remove],
    ['k', undefined, ['authorization']],
  );
  assert.equal(set({ base_url: 'https://api.openai.com/v1' }).set.authorization, 'Bearer k');
  assert.equal(set({ base_url: 'https://gate.example.com', key_header: 'x-key' }).set['x-key'], 'k');
});

test('what is not read is told by its path', () => {
  const told = {
    '/messages/count_tokens': 'count_tokens',
    '/models/gemini:countTokens': 'count_tokens',
    '/models': 'models',
    '/files/f1/content': 'files',
    '/images/generations': 'images',
    '/audio/speech': 'audio',
    '/messages/batches': 'batch',
    '/moderations': 'moderation',
    '/xai_api.Chat/GetCompletion': 'uninspected',
  };
  for (const [endpoint, operation] of Object.entries(told)) {
    assert.equal(uninspectedOperation(endpoint), operation, endpoint);
    assert.equal(findDialect('openai', 'POST', endpoint), undefined, endpoint);
  }
});
