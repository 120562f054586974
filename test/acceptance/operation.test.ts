import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import OpenAI from 'openai';
import { startProvider } from '../fixtures/provider.ts';
import { runWeir, startWeir, type TestWeir } from '../fixtures/weir.ts';

const question = (content: string) => ({ model: 'gpt-4o', messages: [{ role: 'user' as const, content }] });
const clientOf = (weir: TestWeir, headers: Record<string, string> = {}) =>
  new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey: weir.callKey, maxRetries: 0, defaultHeaders: headers });

test('Ctrl-C lets calls in flight end, and their usage is in the database; the next start goes on from there', async (t) => {
  const provider = await startProvider();
  const dataDir = mkdtempSync(join(tmpdir(), 'weir-test-'));
  t.after(async () => {
    await provider.stop();
    rmSync(dataDir, { recursive: true });
  });
  const config = { providers: { openai: { base_url: `${provider.url}/v1`, api_key: 'k' } } };
  const first = await startWeir({ config, dataDir });
  const stream = await clientOf(first, { 'x-mock-gap-ms': '60' }).chat.completions.create({
    ...question('slow'),
    stream: true,
  });
  const read = async () => {
    const seen: OpenAI.ChatCompletionChunk[] = [];
    for await (const chunk of stream) seen.push(chunk);
    return seen;
  };
  const [chunks] = await Promise.all([read(), first.stop()]);
  assert.equal(chunks.at(-1)?.choices[0]?.finish_reason, 'stop');

  const second = await startWeir({ config, dataDir });
  assert.equal(second.callKey, first.callKey);
  const [row] = await second.exchanges(1);
  assert.equal(row.outcome, 'completed');
  assert.equal(statSync(join(dataDir, 'keys.json')).mode & 0o777, 0o600);
  await second.stop();
});

/** A process that has ended and that nobody has waited for yet counts as gone. */
function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

test('after kill -9 the next start finds what was left, stops it, and loses no record', async (t) => {
  const provider = await startProvider();
  t.after(() => provider.stop());
  const config = { providers: { openai: { base_url: `${provider.url}/v1`, api_key: 'k' } } };
  const first = await startWeir({ config });
  const children = first.children();
  for (let i = 0; i < 20; i++) await clientOf(first).chat.completions.create(question(`before ${i}`));
  await first.kill9();
  const second = await startWeir({ config, dataDir: first.dataDir });
  assert.deepEqual(
    children.filter(({ pid }) => isRunning(pid)),
    [],
  );
  await clientOf(second).chat.completions.create(question('after'));
  assert.equal((await second.exchanges(21)).length, 21);
  const intruder = await runWeir([
    'up',
    '--data',
    first.dataDir,
    '--config',
    join(first.dataDir, 'weir.yaml'),
  ]);
  assert.match(intruder.output, /^weir: another weir \(process \d+\) runs on this data directory: .*\n$/);
  await second.stop();
  rmSync(first.dataDir, { recursive: true });
});

test('a child that dies is started again', async (t) => {
  const provider = await startProvider();
  t.after(() => provider.stop());
  const weir = await startWeir({
    config: { providers: { openai: { base_url: `${provider.url}/v1`, api_key: 'k' } } },
  });
  process.kill(weir.pidOf('processor-0'), 'SIGKILL');
  // While it is away the guard keeps the key in the house.
  const answers = [];
  for (;;) {
    const answer: unknown = await clientOf(weir)
      .chat.completions.create(question(`${answers.length}`))
      .catch((error: unknown) => error);
    answers.push(answer);
    if (!(answer instanceof Error)) break;
    assert(answer instanceof OpenAI.APIError && answer.status === 503, String(answer));
    assert.equal(answer.headers?.get('x-weir-error'), 'upstream_unavailable');
  }
  assert(provider.requests.every(({ headers }) => headers.authorization === 'Bearer k'));
  await weir.stop();
});

test('a taken port and a bad config are one clear line', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const data = mkdtempSync(join(tmpdir(), 'weir-test-'));
  t.after(() => rmSync(data, { recursive: true }));
  const taken = await runWeir(['up', '--data', data], { WEIR_LISTEN_EGRESS: `127.0.0.1:${port}` });
  assert.equal(taken.code, 1);
  assert.equal(
    taken.output,
    `weir: listen.egress: 127.0.0.1:${port} is taken by another program: choose another in weir.yaml or by WEIR_LISTEN_EGRESS\n`,
  );
  const bad = await runWeir(['up', '--data', data], { WEIR_PROCESSOR_WORKERS: 'many' });
  assert.equal(bad.code, 2);
  assert.equal(bad.output, 'weir: environment: WEIR_PROCESSOR_WORKERS: expected a number, found "many"\n');
  const unknown = await runWeir(['up', '--dat', data]);
  assert.match(unknown.output, /unknown option '--dat'\n\(Did you mean --data\?\)/);
});

test('10,000 calls over 64 connections are 10,000 rows', async (t) => {
  const provider = await startProvider();
  t.after(() => provider.stop());
  const weir = await startWeir({
    config: {
      providers: { openai: { base_url: `${provider.url}/v1`, api_key: 'k' } },
      log: { level: 'warn' },
    },
  });
  const total = 10_000;
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const ids = new Set<string>();
  let next = 0;
  const call = (i: number) =>
    new Promise<void>((resolve, reject) => {
      // Each question comes twice: the second time from the cache.
      const body = JSON.stringify({
        model: 'gpt-4o',
        messages: [{ role: 'user', content: `${i % (total / 2)}` }],
      });
      const sent = request(
        `${weir.egress}/v1/chat/completions`,
        { method: 'POST', agent, headers: { authorization: `Bearer ${weir.callKey}` } },
        (response) => {
          response.on('data', () => {});
          response.on('end', () => {
            if (response.statusCode === 200) resolve();
            else reject(new Error(`status ${response.statusCode}`));
          });
          ids.add(String(response.headers['x-weir-id']));
        },
      );
      sent.on('error', reject);
      sent.end(body);
    });
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      while (next < total) await call(next++);
    }),
  );
  agent.destroy();
  assert.equal(ids.size, total);
  const count = async () => {
    const { rows } = await weir.get('/analytics/breakdown?group_by=provider');
    return rows[0] ?? { calls: 0, hits: 0 };
  };
  const deadline = Date.now() + 60_000;
  while ((await count()).calls < total && Date.now() < deadline);
  const { calls, hits } = await count();
  assert.equal(calls, total);
  assert.equal(hits, total - provider.requests.length);
  // Few second ones overtake the first.
  assert(hits > total * 0.4, `${hits} hits`);
  await weir.stop();
});
