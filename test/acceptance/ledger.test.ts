import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { type MockProvider, startProvider } from '../fixtures/provider.ts';
import { startWeir, type TestWeir } from '../fixtures/weir.ts';

let provider: MockProvider;
let weir: TestWeir;
let ledger: Awaited<ReturnType<TestWeir['exchanges']>> = [];

const question = (content: string) => ({ model: 'gpt-4o', messages: [{ role: 'user' as const, content }] });
const client = (headers: Record<string, string> = {}, path = '/v1') =>
  new OpenAI({
    baseURL: `${weir.egress}${path}`,
    apiKey: weir.callKey,
    maxRetries: 0,
    defaultHeaders: headers,
  });

/** Makes a call of each kind, each by a user of its name. */
before(async () => {
  provider = await startProvider();
  weir = await startWeir({
    config: {
      providers: {
        openai: { base_url: `${provider.url}/v1`, api_key: 'k' },
        silent: { api: 'openai', base_url: `${provider.url}/v1`, api_key: 'k', ask_usage: false },
      },
    },
    // What applications here tell their OpenTelemetry is nothing to the ledger.
    env: {
      OTEL_SDK_DISABLED: 'true',
      OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: '3',
      OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT: '2',
    },
  });
  const as = (name: string, headers: Record<string, string> = {}, path?: string) =>
    client({ 'x-weir-user': name, ...headers }, path);

  await as('plain').chat.completions.create(question('plain'));
  await as('hit').chat.completions.create(question('plain'));
  for await (const _ of await as('streamed').chat.completions.create({
    ...question('s'),
    stream: true,
    stream_options: { include_usage: true },
  }));
  for await (const chunk of await as('unasked').chat.completions.create({ ...question('a'), stream: true }))
    assert(!('usage' in chunk) && chunk.choices.length > 0, 'the caller did not ask for it');
  const silent = as('uncounted', {}, '/providers/silent/v1');
  for await (const _ of await silent.chat.completions.create({ ...question('u'), stream: true }));
  await as('refused', { 'x-mock-status': '500' })
    .chat.completions.create(question('r'))
    .catch(() => {});
  await as('broken', { 'x-mock-break-after': '400' })
    .chat.completions.create({ ...question('b'), stream: true })
    .then(async (stream) => {
      for await (const _ of stream);
    })
    .catch(() => {});
  await as('no-head', { 'x-mock-break-after': '0' })
    .chat.completions.create(question('n'))
    .catch(() => {});
  await as('models').models.list();

  // A caller who leaves amid a stream: the provider sees it too.
  const before = provider.requests.length;
  const leaving = new AbortController();
  const stream = await as('left', { 'x-mock-hang': '700' }).chat.completions.create(
    { ...question('l'), stream: true },
    { signal: leaving.signal },
  );
  const reading = (async () => {
    for await (const _ of stream) leaving.abort();
  })().catch(() => {});
  await reading;
  await (await provider.request(before)).hungUp;

  ledger = await weir.exchanges(10);
});
after(async () => {
  await weir.stop();
  await provider.stop();
});

const row = (user: string) => ledger.find((each: { user: string }) => each.user === user);

test('every call is there once', () => {
  const users = ledger.map(({ user }: { user: string }) => user).sort();
  assert.deepEqual(users, [
    'broken',
    'hit',
    'left',
    'models',
    'no-head',
    'plain',
    'refused',
    'streamed',
    'unasked',
    'uncounted',
  ]);
});

test('outcomes tell who ended it', () => {
  const outcomes = Object.fromEntries(
    ledger.map(({ user, outcome }: { user: string; outcome: string }) => [user, outcome]),
  );
  assert.deepEqual(outcomes, {
    plain: 'completed',
    hit: 'completed',
    streamed: 'completed',
    unasked: 'completed',
    uncounted: 'completed',
    models: 'completed',
    refused: 'upstream_error',
    broken: 'upstream_error',
    'no-head': 'upstream_error',
    left: 'disconnected',
  });
});

test('tokens are the provider’s where it told them, and counted where it did not', () => {
  const prompt = 8 + JSON.stringify([{ role: 'user', content: 's' }]).length;
  assert.deepEqual(
    [row('streamed').input_tokens, row('streamed').output_tokens, row('streamed').usage_source],
    [prompt, 13, 'provider'],
  );
  for (const name of ['streamed', 'unasked']) {
    assert.deepEqual([row(name).input_tokens, row(name).usage_source], [prompt, 'provider']);
  }
  assert.equal(row('uncounted').usage_source, 'counted');
  // 13 words and a number; the question is one token in a message of its own overhead.
  assert(row('uncounted').output_tokens >= 13 && row('uncounted').output_tokens <= 25);
  assert.equal(row('uncounted').input_tokens, 3 + 1 + 1 + 3);
  assert.equal(row('left').usage_source, 'counted');
  assert(row('left').output_tokens > 0);
  assert.equal(row('refused').usage_source, null);
});

test('money is exact, free for hits, and null where it is not known', () => {
  const { input_tokens, output_tokens } = row('plain');
  // gpt-4o: 2.5 and 10 USD a million tokens.
  const nanos = BigInt(input_tokens) * 2500n + BigInt(output_tokens) * 10000n;
  assert.equal(row('plain').cost_usd, `0.${String(nanos).padStart(9, '0')}`.replace(/0+$/, ''));
  assert.deepEqual(
    [row('hit').cost_usd, row('hit').saved_usd, row('hit').cache],
    ['0', row('plain').cost_usd, 'hit'],
  );
  assert.equal(row('refused').cost_usd, null);
  assert.equal(row('models').cost_usd, null);
});

test('an exchange is found by the id that the caller got', async () => {
  const { response } = await client().chat.completions.create(question('which id?')).withResponse();
  const id = response.headers.get('x-weir-id') ?? '';
  await weir.exchanges(11);
  assert.equal((await weir.get(`/analytics/exchanges/${id}`)).model, 'gpt-4o-2024-08-06');
});

test('sums by model and provider', async () => {
  const { rows } = await weir.get('/analytics/breakdown?group_by=model,provider');
  const [first] = rows;
  assert.deepEqual(first.group, { model: 'gpt-4o-2024-08-06', provider: 'openai' });
  assert.equal(first.hits, 1);
  assert.equal(
    rows.reduce((sum: number, { calls }: { calls: number }) => sum + calls, 0),
    11,
  );
});

test('neither a key nor a prompt is in any log', () => {
  const text = weir
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .join('\n');
  assert(text.includes('"msg":"call"'));
  for (const secret of [weir.callKey, weir.adminKey, 'which id?']) assert(!text.includes(secret));
});
