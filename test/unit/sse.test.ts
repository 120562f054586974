import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ServerSentEvent, SseParser } from '../../src/dialects/sse.ts';

const line = fc.string({ unit: 'grapheme' }).map((text) => text.replace(/[\r\n\uFEFF]/g, ''));
const event = fc.record({ type: line.filter((text) => text !== ''), data: fc.array(line, { minLength: 1 }) });
const newline = fc.constantFrom('\n', '\r\n', '\r');

/** Cuts bytes at the given places, in any order. */
function cut(bytes: Buffer, places: number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

test('events come out the same wherever the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(event),
      newline,
      fc.boolean(),
      fc.array(fc.nat()),
      (events, end, dataFirst, places) => {
        const text = events
          .map(({ type, data }) => {
            const fields = [
              `event: ${type}`,
              ...data.map((each) => `data:${each.startsWith(' ') ? ' ' : ''}${each}`),
            ];
            return [': a comment', ...(dataFirst ? fields.reverse() : fields), '']
              .map((each) => each + end)
              .join('');
          })
          .join('');
        const expected: ServerSentEvent[] = events.map(({ type, data }) => ({
          type,
          data: (dataFirst ? [...data].reverse() : data).join('\n'),
        }));
        const parser = new SseParser();
        assert.deepEqual(
          cut(Buffer.from(text), places).flatMap((chunk) => parser.push(chunk)),
          expected,
        );
      },
    ),
  );
});

test('an event beyond the bound is passed over and the next one is read', () => {
  const parser = new SseParser();
  const events: ServerSentEvent[] = [];
  events.push(...parser.push(Buffer.from('data: ')));
  for (let i = 0; i < 5; i++) events.push(...parser.push(Buffer.alloc(1024 * 1024, 'x')));
  events.push(...parser.push(Buffer.from('\n\ndata: after\n\n')));
  assert.deepEqual(events, [{ type: '', data: 'after' }]);
});
