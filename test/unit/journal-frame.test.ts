import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeFrames, encodeFrame, type Frame } from '../../src/usage/journal/frame.ts';

const frame: fc.Arbitrary<Frame> = fc.record(
  {
    kind: fc.constantFrom('open' as const, 'close' as const),
    spanId: fc.stringMatching(/^[0-9a-f]{16}$/),
    payload: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  },
  { noNullPrototype: true },
);

test('a journal cut at any byte gives back every line that is whole', () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 8 }), fc.nat(), (frames, place) => {
      const encoded = frames.map(encodeFrame);
      const bytes = Buffer.concat(encoded);
      const cut = place % (bytes.length + 1);
      const found = decodeFrames(bytes.subarray(0, cut));
      let whole = 0;
      for (let end = 0; whole < encoded.length; whole++) {
        end += encoded[whole]?.length ?? 0;
        if (end > cut) break;
      }
      assert.deepEqual(found.frames, frames.slice(0, whole));
      assert.equal(found.damaged, false);
    }),
  );
});

test('a changed byte is noticed, and what came before it is kept', () => {
  fc.assert(
    fc.property(
      fc.array(frame, { minLength: 1, maxLength: 5 }),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (frames, place, flip) => {
        const bytes = Buffer.concat(frames.map(encodeFrame));
        const at = place % bytes.length;
        bytes.writeUInt8(bytes.readUInt8(at) ^ flip, at);
        const found = decodeFrames(bytes);
        assert(found.frames.length < frames.length);
        assert.deepEqual(found.frames, frames.slice(0, found.frames.length));
      },
    ),
  );
});
