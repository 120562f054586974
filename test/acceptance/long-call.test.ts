import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import OpenAI from 'openai';
import { startProvider } from '../fixtures/provider.ts';
import { startWeir } from '../fixtures/weir.ts';

/** Envoy lets go of a gRPC client that has not been asked for in 50 s. */
const longMs = 55_000;

test('a call of nearly a minute in a quiet Envoy ends as it should, and so does Envoy', async (t) => {
  const provider = await startProvider();
  t.after(() => provider.stop());
  const weir = await startWeir({
    config: { providers: { openai: { base_url: `${provider.url}/v1`, api_key: 'k' } } },
  });
  const children = () => readFileSync(join(weir.dataDir, 'run', 'children.json'), 'utf8');
  const before = children();
  const client = new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey: weir.callKey, maxRetries: 0 });
  const messages = [{ role: 'user' as const, content: 'Take your time.' }];
  const ask = (headers: Record<string, string>) =>
    client.chat.completions.create({ model: 'gpt-4o', messages }, { headers });
  await Promise.all([
    ask({ 'x-mock-delay-ms': String(longMs), 'cache-control': 'no-store' }),
    ask({ 'x-mock-delay-ms': String(longMs), 'cache-control': 'no-store' }),
  ]);
  await ask({ 'cache-control': 'no-store' });
  const rows = await weir.exchanges(3);
  assert.deepEqual(
    rows.map(({ outcome }) => outcome),
    ['completed', 'completed', 'completed'],
  );
  assert.equal(children(), before, 'nothing had to be started again');
  await weir.stop();
});
