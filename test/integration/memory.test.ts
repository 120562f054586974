import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createByteBudget } from '../../src/cache/byte-budget.ts';
import { sizeOf } from '../../src/cache/pieces.ts';
import { Recording } from '../../src/cache/recording.ts';
import { openaiChat } from '../../src/dialects/openai-chat/index.ts';
import type { Arrival } from '../../src/exchange/arrival.ts';
import { observe } from '../../src/exchange/observation.ts';
import { createReader } from '../../src/exchange/reader.ts';
import { contentEvent } from '../fixtures/openai.ts';

setFlagsFromString('--expose-gc');
const gc: () => void = runInNewContext('gc');

const streams = 1_000;
const bytesOfEach = 2 * 1024 * 1024;
/** Events are not cut where chunks are. */
const chunkBytes = 10_000;
const heldBytes = 64 * 1024 * 1024;

/** Bytes in use when garbage is gone; what buffers held is given back only some time after. */
async function inUse(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round++) {
    gc();
    await delay(50);
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    least = Math.min(least, heapUsed + arrayBuffers);
  }
  return least;
}

test('a thousand long streams at once are watched in at most 64 KiB each, besides what is held for the cache', async (t) => {
  const arrival = { dialect: openaiChat, target: { endpoint: '/chat/completions' } } as unknown as Arrival;
  const services = { reader: createReader(), held: createByteBudget(heldBytes) };
  t.after(() => services.reader.close());
  const head = {
    status: 200,
    headers: new Map([['content-type', 'text/event-stream']]),
    ended: false,
    fromProvider: true,
    details: '',
  };
  const event = contentEvent('lorem ipsum dolor sit amet, '.repeat(20));
  const text = Buffer.concat(Array<Buffer>(Math.ceil((2 * chunkBytes) / event.length)).fill(event));
  const before = await inUse();
  const open = Array.from({ length: streams }, () => {
    const asked = openaiChat.askUsage?.(Buffer.from('{}'));
    return {
      observation: observe(head, arrival, services, () => new Recording(services.held, 2 * bytesOfEach)),
      filter: asked?.filter(),
    };
  });
  for (let sent = 0; sent < bytesOfEach; sent += chunkBytes) {
    const start = sent % event.length;
    for (const { observation, filter } of open) {
      // As a message brings it: a part of a larger buffer.
      const chunk = Buffer.from(text.subarray(start, start + chunkBytes));
      filter?.push(chunk, false);
      await observation.push(chunk, chunk);
    }
  }
  const perStream = ((await inUse()) - before - heldBytes) / streams;
  t.diagnostic(`${(perStream / 1024).toFixed(1)} KiB a stream`);
  assert(perStream <= 64 * 1024, `${perStream} bytes a stream`);
  const held = open.reduce((sum, { observation }) => sum + sizeOf(observation.pieces() ?? []), 0);
  assert(held > 0 && held <= heldBytes, `${held} bytes are held`);
  const { chars } = open[0]?.observation.facts().text ?? { chars: 0 };
  assert(chars > bytesOfEach / 2, `${chars} characters were seen`);
});
