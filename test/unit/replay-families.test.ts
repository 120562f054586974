// Generated answers of the other families go through the other form and come back as they were.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  all,
  ask,
  bytes,
  count,
  cut,
  kept,
  name,
  roundTrip,
  said,
  size,
  some,
  text,
  unknown,
} from '../fixtures/round-trip.ts';

const call = fc.record({
  id: name,
  type: fc.constant('function'),
  function: fc.record({ name, arguments: text }),
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
  const kind = (each: object | undefined) =>
    each && 'text' in each && ('thought' in each ? 'thought' : 'text');
  const parts = fc
    .array(part, { minLength: 1, maxLength: 6 })
    // Two texts side by side are one, and so are two thoughts.
    .map((list) => list.filter((each, at) => !kind(each) || kind(each) !== kind(list[at - 1])));
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
