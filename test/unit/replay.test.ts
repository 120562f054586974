// Generated answers go through the other form and come back as they were.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { KeptReply, WantedForm } from '../../src/dialects/dialect.ts';
import { dialectByName } from '../../src/dialects/registry.ts';

type Json = Record<string, unknown>;

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.lorem({ mode: 'sentences', maxCount: 30 }),
);
const said = text.filter((each) => each !== '');
const name = fc.stringMatching(/^[a-z_]{1,12}$/);
const count = fc.nat({ max: 100_000 });
/** What a client does not know, and must get all the same. */
const unknown = fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value)));
const some = <T>(arbitrary: fc.Arbitrary<T>, key: string) =>
  fc.option(arbitrary, { nil: undefined }).map((value) => (value === undefined ? {} : { [key]: value }));
const all = (...parts: fc.Arbitrary<object>[]) =>
  fc.tuple(...parts).map((each) => Object.assign({}, ...each) as Json);

function kept(answer: unknown): KeptReply {
  return { contentType: 'application/json', streamed: false, chunks: [Buffer.from(JSON.stringify(answer))] };
}

function ask(dialect: string, reply: KeptReply, wanted: Partial<WantedForm>): KeptReply | null {
  const form = { streamed: !reply.streamed, usage: true, path: '', labels: {}, ...wanted };
  const given = dialectByName(dialect).replay?.(reply, form) ?? null;
  return given && { ...given, streamed: form.streamed };
}

/** The same bytes, cut elsewhere. */
function cut({ chunks, ...reply }: KeptReply, size: number): KeptReply {
  const whole = Buffer.concat([...chunks]);
  const pieces: Buffer[] = [];
  for (let at = 0; at < whole.length; at += size) pieces.push(whole.subarray(at, at + size));
  return { ...reply, chunks: pieces };
}

const bytes = (reply: KeptReply | null) => Buffer.concat([...(reply?.chunks ?? [])]).toString();

/** By way of a stream and back. */
function roundTrip(dialect: string, answer: Json, size: number, path = ''): unknown {
  const stream = ask(dialect, kept(answer), { path });
  assert(stream, 'it can be streamed');
  const whole = ask(dialect, cut(stream, size), { path });
  assert(whole, 'its stream can be put together');
  return JSON.parse(bytes(whole));
}

const size = fc.integer({ min: 1, max: 400 });

const token = fc.record({
  token: said,
  logprob: fc.double({ noNaN: true, noDefaultInfinity: true, max: -1e-9, min: -20 }),
});
const call = fc.record({
  id: name,
  type: fc.constant('function'),
  function: fc.record({ name, arguments: text }),
});
const chatChoice = fc.oneof(
  fc.record({ content: text, refusal: fc.constant(null), logprobs: fc.constant(null) }),
  fc.record({ content: fc.constant(null), refusal: text, logprobs: fc.constant(null) }),
  fc.array(token, { minLength: 1, maxLength: 40 }).map((tokens) => ({
    content: tokens.map((each) => each.token).join(''),
    logprobs: { content: tokens, refusal: null },
  })),
);
const chat = fc
  .record({
    choices: fc.array(
      all(
        chatChoice,
        some(fc.array(call, { minLength: 1, maxLength: 3 }), 'tool_calls'),
        some(said, 'reasoning_content'),
        some(fc.array(fc.record({ type: name, text: said }), { minLength: 1, maxLength: 2 }), 'annotations'),
        some(unknown, 'unheard_of'),
      ),
      { minLength: 1, maxLength: 3 },
    ),
    others: all(
      fc.record({ id: name, created: count, model: name }),
      some(name, 'system_fingerprint'),
      some(unknown, 'unheard_of'),
    ),
    usage: fc.record({ prompt_tokens: count, completion_tokens: count, total_tokens: count }),
  })
  .map(({ choices, others, usage }) => ({
    ...others,
    object: 'chat.completion',
    choices: choices.map(({ logprobs, ...message }, index) => ({
      index,
      message: { role: 'assistant', ...message },
      logprobs: logprobs ?? null,
      finish_reason: 'stop',
    })),
    usage,
  }));

test('a chat completion comes back from its stream as it was', () => {
  fc.assert(
    fc.property(chat, size, (answer, pieces) => {
      assert.deepEqual(roundTrip('openai-chat', answer, pieces), JSON.parse(JSON.stringify(answer)));
    }),
  );
});

test('a legacy completion does', () => {
  const choice = all(
    fc.record({ text }),
    some(fc.record({ tokens: fc.array(name), token_logprobs: fc.array(count) }), 'logprobs'),
  );
  const answer = fc.record({
    id: name,
    choices: fc.array(choice, { minLength: 1, maxLength: 3 }),
    usage: fc.record({ prompt_tokens: count }),
  });
  fc.assert(
    fc.property(answer, size, ({ id, choices, usage }, pieces) => {
      const whole = {
        id,
        object: 'text_completion',
        choices: choices.map((each, index) => ({ logprobs: null, ...each, index, finish_reason: 'length' })),
        usage,
      };
      assert.deepEqual(roundTrip('openai-completions', whole, pieces), JSON.parse(JSON.stringify(whole)));
    }),
  );
});

test('a message of Anthropic does', () => {
  const block = fc.oneof(
    all(
      fc.record({ type: fc.constant('text'), text }),
      some(fc.array(fc.record({ type: name, cited_text: text })), 'citations'),
    ),
    fc.record({ type: fc.constant('thinking'), thinking: text, signature: name }),
    fc.record({ type: fc.constant('redacted_thinking'), data: name }),
    fc.record({
      type: fc.constantFrom('tool_use', 'server_tool_use'),
      id: name,
      name,
      input: fc.dictionary(name, unknown),
    }),
    fc.record({ type: fc.constant('unheard_of_result'), content: unknown }),
    fc.record({ type: fc.constant('compaction'), content: said }),
  );
  const message = all(
    fc.record({
      id: name,
      model: name,
      content: fc.array(block, { maxLength: 5 }),
      stop_sequence: fc.option(said),
    }),
    some(fc.record({ applied_edits: fc.array(unknown) }), 'context_management'),
    some(fc.constant(null), 'stop_details'),
    some(unknown, 'unheard_of'),
  );
  const usage = all(
    fc.record({ input_tokens: count, output_tokens: count }),
    some(count, 'cache_read_input_tokens'),
    some(name, 'service_tier'),
  );
  fc.assert(
    fc.property(message, usage, size, (each, used, pieces) => {
      const whole = { ...each, type: 'message', role: 'assistant', stop_reason: 'end_turn', usage: used };
      assert.deepEqual(roundTrip('anthropic-messages', whole, pieces), JSON.parse(JSON.stringify(whole)));
    }),
  );
});

test('an answer of Gemini does, in both frames of its stream', () => {
  const part = fc.oneof(
    fc.record({
      functionCall: fc.record({ name, args: fc.dictionary(name, unknown) }),
      thoughtSignature: name,
    }),
    fc.record({ inlineData: fc.record({ mimeType: name, data: name }) }),
    fc.record({ text: said, thought: fc.constant(true) }),
    fc.record({ text: said }),
  );
  const isText = (each: object | undefined) => each !== undefined && 'text' in each;
  const parts = fc
    .array(part, { minLength: 1, maxLength: 6 })
    // Two texts side by side are one.
    .map((list) => list.filter((each, at) => !isText(each) || !isText(list[at - 1])));
  const answer = all(
    fc.record({
      candidates: fc.array(fc.record({ parts }), { minLength: 1, maxLength: 2 }),
      usageMetadata: fc.record({ promptTokenCount: count, totalTokenCount: count }),
      responseId: name,
    }),
    some(unknown, 'unheardOf'),
  );
  const path = fc.constantFrom('/m:streamGenerateContent', '/m:streamGenerateContent?alt=sse');
  fc.assert(
    fc.property(answer, size, path, ({ candidates, ...others }, pieces, frame) => {
      const list = (candidates as { parts: object[] }[]).map((content, index) => ({
        content: { ...content, role: 'model' },
        finishReason: 'STOP',
        index,
        groundingMetadata: { of: index },
      }));
      const whole = JSON.parse(JSON.stringify({ candidates: list, ...others }));
      assert.deepEqual(roundTrip('gemini-generate', whole, pieces, frame), whole);
      const stream = ask('gemini-generate', kept(whole), { path: frame });
      assert(stream);
      const other = frame.endsWith('sse') ? '/m:streamGenerateContent' : '/m:streamGenerateContent?alt=sse';
      const reframed = ask('gemini-generate', cut(stream, pieces), { streamed: true, path: other });
      assert(reframed);
      assert.notEqual(reframed.contentType, stream.contentType);
      assert.deepEqual(JSON.parse(bytes(ask('gemini-generate', cut(reframed, pieces), {}))), whole);
    }),
  );
});

test('an answer of Cohere does', () => {
  const content = fc.oneof(
    fc.record({ type: fc.constant('text'), text }),
    fc.record({ type: fc.constant('thinking'), thinking: text }),
  );
  const list = <T>(each: fc.Arbitrary<T>) => fc.array(each, { minLength: 1, maxLength: 3 });
  const message = all(
    fc.constant({ role: 'assistant' }),
    some(list(content), 'content'),
    some(said, 'tool_plan'),
    some(list(call), 'tool_calls'),
    some(list(fc.record({ start: count, end: count, text, sources: fc.array(unknown) })), 'citations'),
  );
  fc.assert(
    fc.property(message, name, count, size, (each, id, tokens, pieces) => {
      const whole = {
        id,
        message: each,
        finish_reason: 'COMPLETE',
        usage: { billed_units: { input_tokens: tokens } },
      };
      assert.deepEqual(roundTrip('cohere-chat', whole, pieces), JSON.parse(JSON.stringify(whole)));
    }),
  );
});

test('a response of OpenAI does, and its pieces make up its texts', () => {
  const items = fc.array(
    fc.oneof(
      fc.record({
        type: fc.constant('function_call'),
        id: name,
        call_id: name,
        name,
        arguments: text,
        status: fc.constant('completed'),
      }),
      fc.record({ type: fc.constant('custom_tool_call'), id: name, name, input: text }),
      fc.record({
        type: fc.constant('reasoning'),
        id: name,
        summary: fc.array(fc.record({ type: fc.constant('summary_text'), text })),
      }),
      fc.record({
        type: fc.constant('message'),
        id: name,
        role: fc.constant('assistant'),
        content: fc.array(
          fc.record({ type: fc.constant('output_text'), text, annotations: fc.array(unknown) }),
        ),
      }),
      fc.record({ type: fc.constant('unheard_of'), id: name, more: unknown }),
    ),
    { maxLength: 4 },
  );
  fc.assert(
    fc.property(items, name, size, (output, id, pieces) => {
      const whole = {
        id,
        object: 'response',
        status: 'completed',
        output,
        usage: { input_tokens: 1 },
        completed_at: 1,
      };
      assert.deepEqual(roundTrip('openai-responses', whole, pieces), JSON.parse(JSON.stringify(whole)));
      const stream = bytes(ask('openai-responses', kept(whole), {}));
      const events: Json[] = [...stream.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => JSON.parse(data));
      assert.deepEqual(
        events.map((event) => event.sequence_number),
        [...events.keys()],
      );
      const deltas = (wanted: RegExp) =>
        events.filter(({ type }) => wanted.test(String(type))).map(({ delta }) => delta);
      const texts = (wanted: string) =>
        events.filter(({ type }) => type === wanted).map((event) => event.text ?? event.arguments);
      for (const kind of ['output_text', 'function_call_arguments', 'reasoning_summary_text']) {
        assert.equal(
          deltas(new RegExp(`^response\\.${kind}\\.delta$`)).join(''),
          texts(`response.${kind}.done`).join(''),
        );
      }
    }),
  );
});
