import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RecordedExchange } from '../fixtures/corpus.ts';
import { startProvider } from '../fixtures/provider.ts';
import { startWeir } from '../fixtures/weir.ts';

/** An answer as if it had been recorded. */
function answer(id: string, provider: 'openai' | 'anthropic', body: object): RecordedExchange {
  return {
    ...{ id, provider, provider_host: '', api_form: '', inference: true, method: 'POST', path: '' },
    ...{ request_headers: {}, request_content_type: null, status: 200, streamed: false, usage_status: '' },
    ...{ response_headers: {}, response_content_type: 'application/json' },
    response_body: JSON.stringify(body),
  };
}

const chat = (id: string, fields: object) =>
  answer(id, 'openai', {
    model: 'gpt-5.4',
    choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'x' } }],
    usage: { prompt_tokens: 1_000, completion_tokens: 1_000, total_tokens: 2_000 },
    ...fields,
  });
const message = (id: string, usage: object) =>
  answer(id, 'anthropic', {
    type: 'message',
    model: 'claude-opus-4-6',
    content: [{ type: 'text', text: 'x' }],
    stop_reason: 'end_turn',
    usage: { input_tokens: 1_000, output_tokens: 1_000, ...usage },
  });

const answers = [
  chat('standard', { service_tier: 'default' }),
  chat('flex', { service_tier: 'flex' }),
  message('plain', {}),
  message('batch', { service_tier: 'batch' }),
  message('us', { inference_geo: 'us' }),
  message('searched', { server_tool_use: { web_search_requests: 3 } }),
];

test('tier, batch, region and tools are in what a call costs, from the reply to the ledger', async (t) => {
  const provider = await startProvider();
  t.after(() => provider.stop());
  provider.replay(answers);
  const weir = await startWeir({
    config: {
      providers: {
        openai: { base_url: `${provider.url}/v1`, api_key: 'k' },
        anthropic: { base_url: provider.url, api_key: 'k' },
      },
      defaults: { cache: { mode: 'off' }, limits: [] },
    },
  });
  for (const { id, provider: name } of answers) {
    const path = name === 'openai' ? '/v1/chat/completions' : '/v1/messages';
    const response = await fetch(weir.egress + path, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${weir.callKey}`,
        'content-type': 'application/json',
        'x-mock-exchange': id,
        'x-weir-user': id,
      },
      body: JSON.stringify({ model: 'm', max_tokens: 10, messages: [{ role: 'user', content: id }] }),
    });
    assert.equal(response.status, 200);
    await response.arrayBuffer();
  }
  const rows = await weir.exchanges(answers.length);
  const cost = (user: string) => Number(rows.find((row) => row.user === user)?.cost_usd);
  const near = (found: number, expected: number) =>
    assert(Math.abs(found / expected - 1) < 1e-9, `${found}, expected ${expected}`);
  assert(cost('standard') > 0 && cost('plain') > 0);
  near(cost('flex'), cost('standard') / 2);
  near(cost('batch'), cost('plain') / 2);
  near(cost('us'), cost('plain') * 1.1);
  near(cost('searched'), cost('plain'));
  const tools = rows.map(({ user, tool_usd }) => [user, tool_usd]).filter(([, usd]) => usd !== null);
  assert.deepEqual(tools, [['searched', '0.03']]);
  await weir.stop();
});
