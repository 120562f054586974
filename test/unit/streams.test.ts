import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AwsEventParser } from '../../src/dialects/aws-event-stream.ts';
import { JsonArrayParser } from '../../src/dialects/json-array.ts';
import { askUsage } from '../../src/dialects/openai/ask-usage.ts';
import { withoutMember } from '../../src/dialects/openai/without-member.ts';
import { SseParser } from '../../src/dialects/sse.ts';
import { awsFrame } from '../fixtures/aws-frame.ts';

const bytes = (size: number) => fc.array(fc.nat(size), { maxLength: 20 });

/** The pieces between cuts at these places. */
function cut(whole: Buffer, places: number[]): Buffer[] {
  const ends = [...new Set(places.map((place) => place % (whole.length + 1)))].sort((a, b) => a - b);
  return [...ends, whole.length].map((end, index) => whole.subarray(ends[index - 1] ?? 0, end));
}

test('AWS events come out as they went in, however they are cut', () => {
  const events = fc.array(fc.record({ type: fc.stringMatching(/^[a-z]{1,20}$/), payload: fc.string() }), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(events, bytes(5000), (sent, places) => {
      const parser = new AwsEventParser();
      const whole = Buffer.concat(sent.map(({ type, payload }) => awsFrame(type, payload)));
      const found = cut(whole, places).flatMap((piece) => parser.push(piece));
      assert.deepEqual(
        found.map(({ kind, type, payload }) => ({ kind, type, payload: payload.toString() })),
        sent.map((each) => ({ kind: 'event', ...each })),
      );
    }),
  );
});

test('bytes that are no AWS events end the reading, and an oversized one is passed over', () => {
  fc.assert(fc.property(fc.uint8Array(), (junk) => void new AwsEventParser().push(junk)));
  const parser = new AwsEventParser();
  const large = awsFrame('large', 'x'.repeat(5 * 1024 * 1024));
  const found = cut(Buffer.concat([large, awsFrame('small', '{}')]), [1, 100, 3_000_000]).flatMap((piece) =>
    parser.push(piece),
  );
  assert.deepEqual(
    found.map(({ type }) => type),
    ['small'],
  );
});

test('the elements of a JSON array come out as they went in, however it is cut', () => {
  const elements = fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { maxLength: 6 });
  fc.assert(
    fc.property(elements, bytes(5000), fc.constantFrom(undefined, 2), (sent, places, indent) => {
      const parser = new JsonArrayParser();
      const whole = Buffer.from(JSON.stringify(sent, null, indent));
      const found = cut(whole, places).flatMap((piece) => parser.push(piece));
      assert.deepEqual(
        found.map((text) => JSON.parse(text)),
        JSON.parse(JSON.stringify(sent)),
      );
    }),
  );
});

test('a member is cut out of an object, and nothing else changes', () => {
  const object = fc.dictionary(fc.constantFrom('a', 'usage', 'b', 'x "usage": 1'), fc.jsonValue());
  fc.assert(
    fc.property(object, fc.constantFrom(undefined, 1), (value, indent) => {
      const { usage: _, ...rest } = JSON.parse(JSON.stringify(value));
      assert.deepEqual(JSON.parse(withoutMember(JSON.stringify(value, null, indent), 'usage')), rest);
      if (!('usage' in value))
        assert.equal(withoutMember(JSON.stringify(value), 'usage'), JSON.stringify(value));
    }),
  );
});

test('usage is taken out of a stream however it is cut, and all else passes byte for byte', () => {
  const chunk = (text: string) =>
    `{"id":"1","choices":[{"index":0,"delta":{"content":${JSON.stringify(text)}}}]`;
  const texts = fc.array(fc.string(), { maxLength: 6 });
  const end = fc.constantFrom('\n\n', '\r\n\r\n');
  fc.assert(
    fc.property(texts, bytes(5000), end, fc.boolean(), (said, places, blank, merged) => {
      const usage = '"usage":{"prompt_tokens":1,"completion_tokens":2}';
      const last = merged ? `{"choices":[{"finish_reason":"stop"}],${usage}}` : `{"choices":[],${usage}}`;
      const left = merged ? [`data: {"choices":[{"finish_reason":"stop"}]}${blank}`] : [];
      const sent = [
        `: a "usage" comment${blank}`,
        ...said.map((text) => `data: ${chunk(text)},"usage":null}${blank}`),
        `data: ${last}${blank}`,
        `data: [DONE]${blank}`,
      ];
      const expected = [
        `: a "usage" comment${blank}`,
        ...said.map((text) => `data: ${chunk(text)}}${blank}`),
        ...left,
        `data: [DONE]${blank}`,
      ];
      const filter = askUsage(Buffer.from('{}')).filter();
      const pieces = cut(Buffer.from(sent.join('')), places);
      const found = pieces.map((piece, index) => filter.push(piece, index === pieces.length - 1));
      assert.equal(Buffer.concat(found).toString(), expected.join(''));
    }),
  );
});

test('a request asks for its usage with all else as it was', () => {
  const request = { model: 'm', messages: [{ role: 'user', content: 'Grüße' }], stream: true };
  const text = JSON.stringify(request, null, 2);
  const asked = askUsage(Buffer.from(text)).body.toString();
  assert.deepEqual(JSON.parse(asked), { ...request, stream_options: { include_usage: true } });
  assert(asked.endsWith(text.slice(1)));
  const some = { ...request, stream_options: { include_obfuscation: false } };
  assert.deepEqual(JSON.parse(askUsage(Buffer.from(JSON.stringify(some))).body.toString()).stream_options, {
    include_obfuscation: false,
    include_usage: true,
  });
});

test('a large event in tiny pieces costs no more than its bytes', () => {
  const text = 'x'.repeat(1_000_000);
  const event = Buffer.from(`data: {"a":"${text}"}\n\n`);
  const [sse, aws, filter] = [new SseParser(), new AwsEventParser(), askUsage(Buffer.from('{}')).filter()];
  const pieces = (whole: Buffer) =>
    Array.from({ length: Math.ceil(whole.length / 16) }, (_, index) =>
      whole.subarray(16 * index, 16 * index + 16),
    );
  const events = pieces(event).flatMap((piece) => sse.push(piece));
  assert.deepEqual(events, [{ type: '', data: `{"a":"${text}"}` }]);
  const messages = pieces(awsFrame('large', text)).flatMap((piece) => aws.push(piece));
  assert.equal(messages[0]?.payload.toString(), text);
  const passed = pieces(event).map((piece) => filter.push(Buffer.from(piece), false));
  assert(Buffer.concat(passed).equals(event));
});
