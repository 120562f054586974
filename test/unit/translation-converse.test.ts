import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { dialectNames } from '../../src/config/dialects.ts';
import { misplacesFiles } from '../../src/dialects/bedrock-converse/neutral/write-request.ts';
import { neutralDialects, spokenDialects } from '../../src/dialects/neutral-registry.ts';
import type { StreamEvent } from '../../src/dialects/neutral-reply.ts';
import { parseObject } from '../../src/dialects/stream.ts';
import { replyTranslator } from '../../src/translate/reply.ts';
import { corpusMissing, recordedExchanges, responseBody } from '../fixtures/corpus.ts';
import { gist } from '../fixtures/gist.ts';
import { neutralRequest } from '../fixtures/neutral-requests.ts';
import { converseSpeaker } from '../fixtures/speakers/bedrock-converse.ts';
import { askedIn, modelOf, translate } from '../fixtures/translations.ts';

const converse = spokenDialects['bedrock-converse'];
for (const from of dialectNames) {
  test(`what ${from} asks for is what Converse takes, and nothing is lost`, () => {
    fc.assert(
      fc.property(neutralRequest, (made) => {
        const other = from === 'openai-chat' ? 'anthropic-messages' : 'openai-chat';
        const write = { model: modelOf[from], askUsage: true, maxTokens: null };
        const body = JSON.parse(
          JSON.stringify(neutralDialects[from].writeRequest({ ...made, dialect: other }, write)),
        );
        const isByUrl = JSON.stringify(made.turns).includes('https://example.com');
        const isAlone = misplacesFiles(made);
        const hasCalls = made.turns.some(({ parts }) => parts.some(({ kind }) => kind === 'call'));
        const there = translate(from, 'bedrock-converse', body);
        if (isByUrl || isAlone || (hasCalls && made.tools.length === 0)) {
          assert.equal(there.kind, 'refused');
          return;
        }
        assert(there.kind === 'translated', JSON.stringify(there));
        const written = JSON.parse(Buffer.from(there.body).toString());
        assert.equal(converseSpeaker.refuse(written), null, JSON.stringify(written));
        const texts = made.turns.flatMap(({ parts }) =>
          parts.flatMap((part) => ('text' in part ? [part.text] : [])),
        );
        for (const text of texts) assert(JSON.stringify(written).includes(JSON.stringify(text)), text);
        assert.equal(written.inferenceConfig.maxTokens, made.maxTokens);
        assert.equal(written.toolConfig?.tools.length ?? 0, made.tools.length);
      }),
      { numRuns: 60 },
    );
  });

  test(`a recorded reply of Converse says the same in ${from}`, { skip: corpusMissing }, () => {
    let tried = 0;
    for (const exchange of recordedExchanges('bedrock-converse')) {
      if (exchange.streamed || exchange.status !== 200) continue;
      const reply = converse.readReply(JSON.parse(responseBody(exchange).toString()), 'x');
      assert(reply?.stop, exchange.id);
      assert.deepEqual(
        reply.parts.filter(({ kind }) => kind === 'unknown'),
        [],
      );
      const told = neutralDialects[from].writeReply(reply, askedIn(from));
      const read = neutralDialects[from].readReply(told, 'x');
      assert(read);
      const both = { ...reply, model: read.model };
      // What is not said aloud, in a dialect that has no place for it.
      const signed = (gisted: ReturnType<typeof gist>) => ({
        ...(gisted as object),
        signatures: [],
        stop: null,
      });
      assert.deepEqual(signed(gist(read, from)), signed(gist(both, from)), exchange.id);
      tried++;
    }
    assert(tried > 80, String(tried));
  });
}

test('a recorded stream of Converse says what its observer sees, however it is cut', {
  skip: corpusMissing,
}, () => {
  const streams = recordedExchanges('bedrock-converse').filter(({ streamed }) => streamed);
  assert(streams.length > 2);
  for (const exchange of streams) {
    const bytes = responseBody(exchange);
    const read = (size: number): StreamEvent[] => {
      const parser = converse.parseStream?.() ?? assert.fail();
      const reader = converse.readStream('x');
      const events: StreamEvent[] = [];
      for (let at = 0; at < bytes.length; at += size)
        for (const { type, data } of parser.push(bytes.subarray(at, at + size)))
          events.push(...reader.read(parseObject(data) ?? assert.fail(data), type));
      return [...events, ...(reader.close?.() ?? [])];
    };
    const events = read(bytes.length);
    for (const size of [1, 7, 100]) assert.deepEqual(read(size), events, exchange.id);
    const usage = events.findLast((event) => event.kind === 'usage');
    assert.equal(usage?.usage.input, exchange.usage?.input_tokens);
    assert.equal(usage?.usage.output, exchange.usage?.output_tokens);
    assert(events.some(({ kind }) => kind === 'end'));
  }
});

/** The body for a model, or why there is none. */
function written(body: object, model = 'us.amazon.nova-2-lite-v1:0', from = 'openai-chat' as const) {
  const there = translate(from, 'bedrock-converse', body, { model });
  return there.kind === 'refused' ? there.message : JSON.parse(Buffer.from(there.body).toString());
}

const user = (content: unknown = 'x') => ({ role: 'user', content });

test('each family of models is told in its own words to think, others are refused', () => {
  const body = { messages: [user()], reasoning_effort: 'high', max_completion_tokens: 30_000 };
  const members = (model: string) => written(body, model).additionalModelRequestFields;
  assert.deepEqual(members('eu.amazon.nova-2-lite-v1:0'), {
    reasoningConfig: { type: 'enabled', maxReasoningEffort: 'high' },
  });
  assert.deepEqual(members('openai.gpt-oss-120b-1:0'), { reasoning_effort: 'high' });
  assert.deepEqual(members('qwen.qwen3-32b-v1:0'), { reasoning_config: 'high' });
  assert.deepEqual(members('us.anthropic.claude-sonnet-4-5-20250929-v1:0'), {
    thinking: { type: 'enabled', budget_tokens: 16_384 },
  });
  assert.deepEqual(members('global.anthropic.claude-opus-4-8-v1:0'), {
    thinking: { type: 'adaptive' },
    output_config: { effort: 'high' },
  });
  assert.match(written(body, 'meta.llama3-3-70b-instruct-v1:0'), /`reasoning_effort` \(Converse has no word/);
  assert.equal(members('us.amazon.nova-2-lite-v1:0') === undefined, false);
  assert.equal(written({ messages: [user()] }).additionalModelRequestFields, undefined);
});

test('what Converse cannot say is refused with its reason', () => {
  const call = { id: 'c', type: 'function', function: { name: 'a', arguments: '{}' } };
  const called = [
    user(),
    { role: 'assistant', tool_calls: [call] },
    { role: 'tool', tool_call_id: 'c', content: '1' },
  ];
  const tools = [
    { type: 'function', function: { name: 'a', parameters: { type: 'object', properties: {} } } },
  ];
  const refused: [object, RegExp][] = [
    [{ messages: [user()], seed: 1 }, /`seed`/],
    [{ messages: [user()], frequency_penalty: 1 }, /`frequency_penalty`/],
    [{ messages: [user()], temperature: 1.5 }, /`temperature` \(Anthropic’s and Converse’s end at 1/],
    [{ messages: [user()], logit_bias: { 1: 1 } }, /`logit_bias`/],
    [{ messages: [user()], n: 2 }, /`n`/],
    [{ messages: [user()], response_format: { type: 'json_object' } }, /`response_format`/],
    [{ messages: [user(), { role: 'system', content: 'late' }] }, /put them at the beginning/],
    [{ messages: called }, /wants the tools whose calls/],
    [{ messages: called, tools, tool_choice: 'none' }, /let the choice be auto/],
    [{ messages: [user()], tools, parallel_tool_calls: false }, /may always call several/],
    [
      { messages: [user([{ type: 'image_url', image_url: { url: 'https://example.com/a.png' } }])] },
      /Converse nothing by URL/,
    ],
  ];
  const pdf = {
    type: 'file',
    file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,JVBERi0=' },
  };
  refused.push([{ messages: [user([pdf])] }, /wants words beside a document/]);
  refused.push([{ messages: [user([pdf, { type: 'text', text: ' ' }])] }, /wants words beside a document/]);
  assert.equal(converseSpeaker.refuse(written({ messages: [user([pdf]), user('What is it?')] })), null);
  for (const [body, why] of refused) assert.match(String(written(body)), why);
  const { toolConfig, messages } = written({ messages: called, tools });
  assert.equal(toolConfig.tools.length, 1);
  assert.deepEqual(messages.at(-1).content[0].toolResult.content, [{ text: '1' }]);
});

test('turns of one side are one message, documents have names of their own, nobody says nothing', () => {
  const file = {
    type: 'file',
    file: { filename: 'a_b.pdf', file_data: 'data:application/pdf;base64,JVBERi0=' },
  };
  const body = written({
    messages: [
      user('one'),
      user([file, file, { type: 'text', text: 'two' }]),
      { role: 'assistant', content: '' },
      user('three'),
    ],
    user: 'someone',
    service_tier: 'flex',
  });
  assert.equal(converseSpeaker.refuse(body), null);
  assert.deepEqual(
    body.messages.map(({ content }: { content: object[] }) => content.map((each) => Object.keys(each)[0])),
    [['text', 'document', 'document', 'text', 'text']],
  );
  const names = body.messages[0].content.flatMap(
    (each: { document?: { name: string } }) => each.document?.name ?? [],
  );
  assert.deepEqual(names, ['a b pdf', 'a b pdf 2']);
  assert.deepEqual([body.serviceTier, body.requestMetadata], [{ type: 'flex' }, { user: 'someone' }]);
});

test('errors of a body and amid a stream are told by their kind', () => {
  const kind = (body: unknown, status: number | null) => converse.readError(body, status).kind;
  assert.equal(kind({ message: 'm', __type: 'com.amazon.coral#ThrottlingException' }, 400), 'rate_limit');
  assert.equal(kind({ message: 'm' }, 403), 'permission');
  assert.equal(kind({ Message: 'm' }, 424), 'server');
  assert.equal(converse.readError({ Message: 'why' }, 500).message, 'why');
  const head = (type: string, status: number) => {
    const body = Buffer.from('{"message":"m"}');
    const told = replyTranslator('bedrock-converse', askedIn('anthropic-messages'));
    const { status: said, body: error } = told.whole(body, status, type);
    return [said, JSON.parse(error.toString()).error.type];
  };
  assert.deepEqual(head('ThrottlingException:http://internal.amazon.com/', 429), [429, 'rate_limit_error']);
  assert.deepEqual(head('ModelNotReadyException', 429), [503, 'overloaded_error']);
  assert.deepEqual(head('ModelErrorException', 424), [502, 'api_error']);
  assert.deepEqual(head('ExpiredTokenException', 403), [401, 'authentication_error']);
  assert.deepEqual(head('AccessDeniedException', 403), [403, 'permission_error']);
  const [event] = converse.readStream('x').read({ message: 'slow' }, 'throttlingException');
  assert.deepEqual(event, {
    kind: 'error',
    error: { kind: 'rate_limit', status: null, message: 'slow', code: 'throttlingException', param: null },
  });
});
