import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import type { FrameKind } from '../../src/usage/journal/frame.ts';
import { Journal } from '../../src/usage/journal/journal.ts';

test('a call that runs for long does not hold the journal', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'weir-journal-'));
  t.after(() => rmSync(root, { recursive: true }));
  let taken = 0;
  const journal = new Journal({
    root,
    endpoints: [
      async (spans) => {
        taken += spans.length;
        return { kind: 'taken', partial: false };
      },
    ],
    log: pino({ level: 'silent' }),
    maxBytes: 1024 ** 3,
    syncMs: undefined,
  });
  journal.start((open) => open);
  const payload = Buffer.alloc(500_000);
  const line = (kind: FrameKind, number: number) =>
    journal.append({ kind, spanId: number.toString(16).padStart(16, '0'), payload });
  await line('open', 0);
  const others = 200;
  for (let number = 1; number <= others; number++) {
    await line('open', number);
    await line('close', number);
    assert.deepEqual(await journal.drain(10_000), { left: 0 });
  }
  const [directory = ''] = readdirSync(root);
  const segments = readdirSync(join(root, directory)).filter((name) => name.endsWith('.log'));
  assert(segments.length <= 6, `200 MB of lines left ${segments.join(' ')}`);
  await line('close', 0);
  assert.deepEqual(await journal.drain(10_000), { left: 0 });
  assert.equal(taken, others + 1);
  await journal.stop();
  assert.deepEqual(readdirSync(root), []);
});
