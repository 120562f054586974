// Generated answers of the OpenAI family go through the other form and come back as they were.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  all,
  ask,
  bytes,
  count,
  kept,
  name,
  roundTrip,
  said,
  size,
  some,
  text,
  unknown,
} from '../fixtures/round-trip.ts';

type Json = Record<string, unknown>;

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
