import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import {
  type AddressInfo,
  connect,
  createServer as createNetServer,
  type Server as NetServer,
} from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { startWeir, type TestWeir } from '../fixtures/weir.ts';

interface Chat {
  model: string;
  stream?: boolean;
  messages: { role: string; content: string }[];
}
const asked: Chat[] = [];
/** The paths of what came to the provider whose model was asked for. */
const dear: string[] = [];
let servers: Server[];
let gateway: NetServer;
/** Calls of weir's own that came by the gateway. */
let own = 0;
let weir: TestWeir;

/** A provider whose models say their names, and whose judge likes gpt-4 better. */
function answer({ model, messages }: Chat): string {
  if (model !== 'judge') return `I am ${model}.`;
  const [, first = ''] = /<first>([\s\S]*?)<\/first>/.exec(messages.at(-1)?.content ?? '') ?? [];
  return /gpt-4|claude/.test(first) ? 'FIRST' : 'SECOND';
}

function provider(host: string, seen: string[]): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    seen.push(request.url ?? '');
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const chat = JSON.parse(Buffer.concat(chunks).toString()) as Chat;
      asked.push(chat);
      const usage = { prompt_tokens: 1_000, completion_tokens: 100, total_tokens: 1_100 };
      const message = { role: 'assistant', content: answer(chat) };
      const choices = [{ index: 0, message, finish_reason: 'stop' }];
      response.setHeader('content-type', 'application/json');
      if (request.url?.endsWith('/messages')) {
        const content = [{ type: 'text', text: answer(chat) }];
        const counts = { input_tokens: 1_000, output_tokens: 100 };
        const said = { id: 'msg_1', type: 'message', role: 'assistant', model: chat.model, content };
        response.end(
          JSON.stringify({ ...said, stop_reason: 'end_turn', stop_sequence: null, usage: counts }),
        );
        return;
      }
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
  return new Promise((resolve) =>
    server.listen(0, host, () => {
      const { port } = server.address() as AddressInfo;
      resolve({ server, url: `http://${host}:${port}` });
    }),
  );
}

before(async () => {
  const [cheap, other] = await Promise.all([provider('127.0.0.1', []), provider('127.0.0.2', dear)]);
  servers = [cheap.server, other.server];
  // Calls of weir's own go to the egress listener by another address than this machine's.
  let egress = 0;
  gateway = createNetServer((socket) => {
    own++;
    const onward = connect(egress, '127.0.0.1');
    socket.pipe(onward).pipe(socket);
    for (const each of [socket, onward]) each.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.3', resolve));
  const { port } = gateway.address() as AddressInfo;
  const table = { cost: 'gpt-3.5-turbo', latency: 'gpt-3.5-turbo', quality: 'gpt-3.5-turbo' };
  weir = await startWeir({
    config: {
      processor: { egress: `http://127.0.0.3:${port}` },
      providers: {
        openai: { base_url: `${cheap.url}/v1`, api_key: 'k' },
        anthropic: { base_url: other.url, api_key: 'a' },
        dear: { api: 'openai', base_url: `${other.url}/openai/v1`, api_key: 'd' },
      },
      models: {
        judge: { provider: 'openai', price: { input_mtok: '1', output_mtok: '1' } },
        'gpt-4': { provider: 'dear', price: { input_mtok: '30', output_mtok: '60' } },
      },
      defaults: {
        limits: [],
        budgets: [{ name: 'monthly', usd: '1', period: 'month' }],
        routing: {
          mode: 'on',
          replay_percent: 100,
          judge_model: 'judge',
          profile: 'cheap',
          tables: { cheap: { simple: table, medium: table, complex: table } },
        },
      },
    },
  });
  egress = Number(new URL(weir.egress).port);
});
after(async () => {
  await weir.stop();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  gateway.close();
});

test('a routed call is replayed and judged in either order, and the saving is net of both', async () => {
  const client = new OpenAI({
    baseURL: `${weir.egress}/providers/dear`,
    apiKey: weir.callKey,
    maxRetries: 0,
  });
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
  const ours = rows.filter(({ purpose }) => purpose !== null);
  assert.deepEqual(ours.map(({ purpose }) => purpose).sort(), ['judge', 'judge', 'replay']);
  assert(
    ours.every(
      ({ purpose_of, organization, cache }) =>
        purpose_of === id && organization === 'default' && cache === 'bypass',
    ),
  );
  assert.deepEqual(dear, ['/openai/v1/chat/completions']);
  assert(own > 0);
  assert.deepEqual(ours.find(({ purpose }) => purpose === 'replay')?.provider, 'dear');
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
  // All four calls are spent.
  const { budgets } = await weir.get('/budgets');
  assert.equal(budgets[0].spent, '0.03885');
  const { rows: groups } = await weir.get('/analytics/breakdown?group_by=purpose');
  assert.equal(groups.length, 3);
});

test('what was translated on its way is replayed in the form of the model asked for', async () => {
  const before = asked.length;
  const client = new Anthropic({ baseURL: weir.egress, apiKey: weir.callKey, maxRetries: 0 });
  const { data, response } = await client.messages
    .create({
      model: 'claude-opus-4-1',
      max_tokens: 200,
      messages: [{ role: 'user', content: 'Who are you?' }],
    })
    .withResponse();
  const [said] = data.content;
  assert(said?.type === 'text');
  assert.equal(said.text, 'I am gpt-3.5-turbo.');
  const id = response.headers.get('x-weir-id');
  const rows = (await weir.exchanges(before + 4)).filter((row) => row.id === id || row.purpose_of === id);
  assert.deepEqual(
    asked.slice(before).map(({ model }) => model),
    ['gpt-3.5-turbo', 'claude-opus-4-1', 'judge', 'judge'],
  );
  assert.equal(dear.at(-1), '/v1/messages');
  const replay = rows.find(({ purpose }) => purpose === 'replay');
  assert.deepEqual([replay.provider, replay.model, replay.status], ['anthropic', 'claude-opus-4-1', 200]);
  // $15 and $75 a million.
  assert.equal(replay.cost_usd, '0.0225');
  let report = await weir.get('/analytics/routing');
  while (report.quality.judged === 1) {
    await delay(20);
    report = await weir.get('/analytics/routing');
  }
  assert.deepEqual([report.measured.calls, report.quality.judged], [2, 2]);
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
