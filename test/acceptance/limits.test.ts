import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { startProvider } from '../fixtures/provider.ts';
import { startWeir } from '../fixtures/weir.ts';

test('a limit is OpenAI’s own rate-limit error, and its SDK comes back when it may', async (t) => {
  const provider = await startProvider();
  const weir = await startWeir({
    config: {
      providers: { openai: { base_url: `${provider.url}/v1`, api_key: 'k' } },
      defaults: { limits: [{ name: 'few', per: 'organization', requests: 3, window: '2s' }] },
    },
  });
  t.after(async () => {
    await weir.stop();
    await provider.stop();
  });
  const client = (maxRetries: number) =>
    new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey: weir.callKey, maxRetries });
  const ask = (retries: number) =>
    client(retries).chat.completions.create({
      model: 'gpt-4o',
      messages: [{ role: 'user', content: `${Math.random()}` }],
    });
  const remaining = [];
  for (let i = 0; i < 3; i++)
    remaining.push((await ask(0).withResponse()).response.headers.get('x-weir-ratelimit-remaining'));
  assert.deepEqual(remaining, ['2', '1', '0']);
  const refused = await ask(0).catch((error: unknown) => error);
  assert(refused instanceof OpenAI.RateLimitError);
  assert.equal(refused.code, 'rate_limit_exceeded');
  assert.equal(refused.headers?.get('x-ratelimit-limit-requests'), '3');
  assert.equal(refused.headers?.get('x-ratelimit-remaining-requests'), '0');
  const wait = Number(refused.headers?.get('retry-after-ms'));
  assert(wait > 0 && wait <= 2000);
  // The SDK waits as long as it was told, and then gets its answer.
  assert.equal((await ask(2)).choices.length, 1);
  const denied = (await weir.exchanges(5)).filter(({ outcome }: { outcome: string }) => outcome === 'denied');
  assert(
    denied.length >= 1 &&
      denied.every(
        ({ cost_usd, status }: { cost_usd: string; status: number }) => cost_usd === '0' && status === 429,
      ),
  );
});
