import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import OpenAI from 'openai';
import { pino } from 'pino';
import { createPool } from '../../src/db/pool.ts';
import { embeddedUrl } from '../../src/local/postgres.ts';
import { startChatProvider } from '../fixtures/chat-provider.ts';
import { startFailingProvider } from '../fixtures/failing-provider.ts';
import { startRedis } from '../fixtures/redis.ts';
import { startWeir } from '../fixtures/weir.ts';

const calls = 60;

test('with several workers each attempt comes to the one that has the call', async (t) => {
  const redis = await startRedis(t);
  if (!redis) return;
  const ailing = await startFailingProvider();
  await ailing.fail('status-500');
  const good = await startChatProvider('sk-good');
  t.after(() => Promise.all([ailing.stop(), good.stop()]));
  const price = { input_mtok: '2.5', output_mtok: '10' };
  const weir = await startWeir({
    config: {
      providers: {
        'status-500': { api: 'openai', base_url: `${ailing.url}/v1`, api_key: 'sk-ailing' },
        anthropic: { base_url: good.url, api_key: 'sk-good' },
      },
      models: {
        'gpt-status-500': {
          provider: 'status-500',
          model: 'gpt-4o',
          price,
          fallback: [{ provider: 'anthropic', model: 'claude-sonnet-4-5' }],
        },
      },
      redis: { url: redis.url },
      processor: { workers: 3 },
      defaults: { limits: [], cache: { mode: 'off' } },
      log: { level: 'warn' },
    },
  });
  // A connection each, and so all workers.
  const ask = async (number: number) => {
    const openai = new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey: weir.callKey, maxRetries: 0 });
    const messages = [{ role: 'user' as const, content: `scenario:text Where? ${number}` }];
    const asked = { model: 'gpt-status-500', messages, max_tokens: 100 };
    if (number % 2 === 0) return (await openai.chat.completions.create(asked)).choices[0]?.message.content;
    let text = '';
    for await (const chunk of await openai.chat.completions.create({ ...asked, stream: true }))
      text += chunk.choices[0]?.delta.content ?? '';
    return text;
  };
  const told = await Promise.all(Array.from({ length: calls }, (_, number) => ask(number)));
  assert.deepEqual(new Set(told), new Set(['Zürich lies by a lake 🏞️.']));
  const rows = await weir.allExchanges(calls);
  assert.equal(rows.length, calls);
  assert.deepEqual(new Set(rows.map(({ provider }) => provider)), new Set(['anthropic']));
  const pool = createPool(embeddedUrl(join(weir.dataDir, 'postgres')), {
    log: pino({ level: 'silent' }),
    max: 1,
  });
  const { rowCount } = await pool.query('SELECT DISTINCT processor FROM usage WHERE attempts > 1');
  await pool.end();
  t.diagnostic(`${rowCount} workers had calls that were replaced`);
  assert((rowCount ?? 0) > 1);
  const retried = rows.filter(({ attempts }) => attempts > 1);
  // Each worker leaves the provider alone once it has failed three times in a row there.
  assert(retried.length >= 3, `${retried.length} calls were replaced`);
  await weir.stop();
});
