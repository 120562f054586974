import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import OpenAI from 'openai';
import { startWeir, type TestWeir } from '../fixtures/weir.ts';

interface Chat {
  model: string;
  stream?: boolean;
  messages: { role: string; content: string }[];
}
const asked: Chat[] = [];
let server: Server;
let weir: TestWeir;

/** A provider whose models say their names, and whose judge likes gpt-4 better. */
function answer({ model, messages }: Chat): string {
  if (model !== 'judge') return `I am ${model}.`;
  const [, first = ''] = /<first>([\s\S]*?)<\/first>/.exec(messages.at(-1)?.content ?? '') ?? [];
  return first.includes('gpt-4') ? 'FIRST' : 'SECOND';
}

before(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const chat = JSON.parse(Buffer.concat(chunks).toString()) as Chat;
      asked.push(chat);
      const usage = { prompt_tokens: 1_000, completion_tokens: 100, total_tokens: 1_100 };
      const message = { role: 'assistant', content: answer(chat) };
      const choices = [{ index: 0, message, finish_reason: 'stop' }];
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({
          id: `chatcmpl-${asked.length}`,
          object: 'chat.completion',
          model: chat.model,
          choices,
          usage,
        }),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  weir = await startWeir({
    config: {
      providers: { openai: { base_url: `http://127.0.0.1:${port}/v1`, api_key: 'k' } },
      models: { judge: { provider: 'openai', price: { input_mtok: '1', output_mtok: '1' } } },
      defaults: { limits: [], routing: { mode: 'on', replay_percent: 100, judge_model: 'judge' } },
    },
  });
});
after(async () => {
  await weir.stop();
  server.closeAllConnections();
  server.close();
});

test('a routed call is replayed and judged in either order, and the saving is net of both', async () => {
  const client = new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey: weir.callKey, maxRetries: 0 });
  const { data, response } = await client.chat.completions
    .create({ model: 'gpt-4', messages: [{ role: 'user', content: 'Who are you?' }] })
    .withResponse();
  assert.equal(data.choices[0]?.message.content, 'I am gpt-3.5-turbo.');
  const id = response.headers.get('x-weir-id');

  const rows = await weir.exchanges(4);
  assert.deepEqual(
    asked.map(({ model }) => model),
    ['gpt-3.5-turbo', 'gpt-4', 'judge', 'judge'],
  );
  const own = rows.filter(({ purpose }) => purpose !== null);
  assert.deepEqual(own.map(({ purpose }) => purpose).sort(), ['judge', 'judge', 'replay']);
  assert(
    own.every(
      ({ purpose_of, organization, cache }) =>
        purpose_of === id && organization === 'default' && cache === 'bypass',
    ),
  );
  const [first, second] = asked.slice(2).map(({ messages }) => messages.at(-1)?.content ?? '');
  assert.match(first ?? '', /<first>\nI am gpt-3.5-turbo.\n<\/first>\n<second>\nI am gpt-4.\n/);
  assert.match(second ?? '', /<first>\nI am gpt-4.\n<\/first>\n<second>\nI am gpt-3.5-turbo.\n/);

  let report = await weir.get('/analytics/routing');
  while (report.quality.judged === 0) {
    await delay(20);
    report = await weir.get('/analytics/routing');
  }
  // 1,000 + 100 tokens: $0.00065 with gpt-3.5-turbo, $0.036 with gpt-4, $0.0011 with the judge.
  assert.deepEqual(report.routed, {
    calls: 1,
    cost_usd: '0.00065',
    baseline_usd: '0.036',
    saved_usd: '0.03535',
  });
  assert.equal(report.replay_usd, '0.036');
  assert.equal(report.judge_usd, '0.0022');
  assert.equal(report.net_saved_usd, '-0.00285');
  assert.equal(report.measured.calls, 1);
  assert(Math.abs(report.measured.saved_per_call_usd.value - 0.03535) < 1e-9);
  assert.deepEqual([report.quality.better, report.quality.same, report.quality.worse], [0, 0, 1]);
  assert.equal(report.quality.difference.value, -1);
  assert.equal(report.quality.not_worse.value, 0);
  assert(report.quality.not_worse.high > 0.5);
  const { rows: groups } = await weir.get('/analytics/breakdown?group_by=purpose');
  assert.equal(groups.length, 3);
});

test('nobody can make a call of weir’s own', async () => {
  const forged = Buffer.from(
    JSON.stringify({ organization: 'default', apiKey: null, purpose: 'replay', of: 'x', until: 9e15 }),
  );
  const client = new OpenAI({
    baseURL: `${weir.egress}/v1`,
    apiKey: `weir_own_${forged.toString('base64url')}.AAAA`,
    maxRetries: 0,
  });
  await assert.rejects(
    client.chat.completions.create({ model: 'gpt-4', messages: [{ role: 'user', content: 'x' }] }),
    OpenAI.AuthenticationError,
  );
});
