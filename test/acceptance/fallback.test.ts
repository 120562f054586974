import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { type Certificate, makeCertificate } from '../fixtures/certificates.ts';
import { type ChatProvider, startChatProvider } from '../fixtures/chat-provider.ts';
import {
  type FailingProvider,
  type Failure,
  startFailingProvider,
  startNoTls,
} from '../fixtures/failing-provider.ts';
import { type MockProvider, startProvider } from '../fixtures/provider.ts';
import { startWeir, type TestWeir } from '../fixtures/weir.ts';

/** What the ledger tells of the attempt that failed. */
const told: Partial<Record<Failure, { status: number | null; error: RegExp; isBilled: boolean | null }>> = {
  refuses: { status: null, error: /no_answer/, isBilled: null },
  'broken-tls': { status: null, error: /no_answer/, isBilled: null },
  hangs: { status: null, error: /timeout/, isBilled: true },
  'status-429': { status: 429, error: /http_429/, isBilled: false },
  'retry-after': { status: 429, error: /http_429/, isBilled: false },
  'status-500': { status: 500, error: /http_500/, isBilled: false },
  'status-503': { status: 503, error: /http_503/, isBilled: false },
  resets: { status: null, error: /no_answer/, isBilled: null },
  'dies-early': { status: 200, error: /broken_off/, isBilled: true },
  'error-event': { status: 200, error: /server_error/, isBilled: false },
};
const failures = Object.keys(told) as Failure[];

let ailing: FailingProvider;
let good: ChatProvider;
let noTls: Awaited<ReturnType<typeof startNoTls>>;
let certificate: Certificate;
let secure: MockProvider;
let weir: TestWeir;
before(async () => {
  ailing = await startFailingProvider();
  good = await startChatProvider('sk-good');
  noTls = await startNoTls();
  certificate = makeCertificate();
  secure = await startProvider({ key: 'sk-secure', tls: certificate });
  const broken = { api: 'openai', base_url: `${ailing.url}/v1`, api_key: 'sk-ailing' };
  // What one test finds out of a provider is not to be known to the next.
  const names = [...failures, 'none', 'dies-late', 'left', 'all', 'all-too', 'claude'];
  const claude = { provider: 'anthropic', model: 'claude-sonnet-4-5' };
  const price = { input_mtok: '2.5', output_mtok: '10' };
  const first = (name: string) => ({ provider: name, model: 'gpt-4o', price, first_byte_timeout: '1s' });
  weir = await startWeir({
    config: {
      providers: {
        openai: { base_url: `${good.url}/v1`, api_key: 'sk-good' },
        anthropic: { base_url: good.url, api_key: 'sk-good' },
        ...Object.fromEntries(names.map((name) => [name, broken])),
        secure: {
          api: 'openai',
          base_url: `${secure.url}/v1`,
          api_key: 'sk-secure',
          ca_file: certificate.file,
        },
        'broken-tls': { ...broken, base_url: `https://127.0.0.1:${noTls.port}/v1` },
      },
      models: {
        ...Object.fromEntries(names.map((name) => [`gpt-${name}`, { ...first(name), fallback: [claude] }])),
        'gpt-all': { ...first('all'), fallback: [{ provider: 'all-too', model: 'gpt-4o' }] },
        'gpt-secure': { ...first('none'), fallback: [{ provider: 'secure', model: 'gpt-4o' }] },
        spread: {
          deployments: [
            { provider: 'openai', model: 'gpt-4o', dialect: 'openai-chat', weight: 3 },
            { ...claude, weight: 1 },
          ],
        },
      },
      defaults: { limits: [], cache: { mode: 'off' } },
      log: { level: 'warn' },
    },
  });
});
after(async () => {
  await weir.stop();
  await ailing.stop();
  await good.stop();
  await noTls.stop();
  await secure.stop();
  certificate.remove();
});

const client = () => new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey: weir.callKey, maxRetries: 0 });
const messages = [{ role: 'user' as const, content: 'scenario:text Where?' }];
const zurich = 'Zürich lies by a lake 🏞️.';

async function ask(model: string, streamed: boolean): Promise<{ text: string; headers: Headers }> {
  const asked = { model, messages, max_tokens: 100 };
  if (!streamed) {
    const { data, response } = await client().chat.completions.create(asked).withResponse();
    return { text: data.choices[0]?.message.content ?? '', headers: response.headers };
  }
  const body = { ...asked, stream: true as const };
  const { data, response } = await client().chat.completions.create(body).withResponse();
  let text = '';
  for await (const chunk of data) text += chunk.choices[0]?.delta.content ?? '';
  return { text, headers: response.headers };
}

/** The row of a call, when it has come. */
// biome-ignore lint/suspicious/noExplicitAny: what the API answers is what these tests are about.
async function row(id: string | null): Promise<any> {
  for (;;) {
    const found = await weir.get(`/analytics/exchanges/${id}`);
    if (found.id === id) return found;
  }
}

for (const failure of failures) {
  for (const streamed of [false, true]) {
    if (failure === 'error-event' && !streamed) continue;
    test(`${failure}, ${streamed ? 'streamed' : 'plain'}: the caller gets one good answer`, async () => {
      await ailing.fail(failure === 'broken-tls' ? 'none' : failure);
      const { text, headers } = await ask(`gpt-${failure}`, streamed);
      assert.equal(text, zurich);
      assert.equal(headers.get('x-weir-provider'), 'anthropic');
      assert.equal(headers.get('x-weir-model'), 'claude-sonnet-4-5');
      const seen = good.requests.at(-1)?.headers ?? {};
      assert.deepEqual([seen['x-api-key'], seen.authorization], ['sk-good', undefined]);
      assert.deepEqual(
        Object.keys(seen).filter((name) => /^x-(weir|envoy|forwarded)/.test(name)),
        [],
      );

      const found = await row(headers.get('x-weir-id'));
      assert.deepEqual(
        [found.requested_model, found.provider, found.outcome],
        [`gpt-${failure}`, 'anthropic', 'completed'],
      );
      // Asked to be left alone by the first call, it was not tried by the second.
      const isLeftAlone = failure === 'retry-after' && streamed;
      assert.equal(found.attempts, isLeftAlone ? 1 : 2);
      assert.equal(found.retried.length, isLeftAlone ? 0 : 1);
      if (isLeftAlone) return;
      const [attempt] = found.retried;
      const { status, error, isBilled } = told[failure] ?? {};
      assert.deepEqual([attempt.provider, attempt.model, attempt.status], [failure, 'gpt-4o', status]);
      assert.match(attempt.error_code, error ?? /never/);
      if (isBilled === false) assert.deepEqual([attempt.usage_source, attempt.cost_usd], [null, '0']);
      if (isBilled) {
        assert.equal(attempt.usage_source, 'estimated');
        assert(Number(attempt.cost_usd) > 0 && Number(attempt.cost_upper_usd) > Number(attempt.cost_usd));
      }
      if (isBilled === null) assert.equal(attempt.cost_usd, '0');
    });
  }
}

test('after the first event nobody takes over: the caller sees that it broke', async () => {
  await ailing.fail('dies-late');
  const before = good.requests.length;
  const body = { model: 'gpt-dies-late', messages, stream: true as const };
  const { data, response } = await client().chat.completions.create(body).withResponse();
  const read = async () => {
    for await (const _ of data) ailing.cut();
  };
  await assert.rejects(read());
  const found = await row(response.headers.get('x-weir-id'));
  assert.deepEqual([found.attempts, found.provider, found.retried], [1, 'dies-late', []]);
  assert.equal(good.requests.length, before);
});

test('when all have failed the caller gets the error of the last, in its own form', async () => {
  await ailing.fail('status-503');
  const claude = new Anthropic({ baseURL: weir.egress, apiKey: weir.callKey, maxRetries: 0 });
  const failed = await claude.messages
    .create({ model: 'gpt-all', max_tokens: 100, messages })
    .catch((error: unknown) => error);
  assert(failed instanceof Anthropic.APIError);
  assert.equal(failed.status, 503);
  assert.match(failed.message, /The server had an error/);
  const found = await row(failed.headers?.get('x-weir-id') ?? null);
  assert.deepEqual([found.attempts, found.provider, found.outcome], [2, 'all-too', 'upstream_error']);
  await ailing.fail('refuses');
  const unreached = await client()
    .chat.completions.create({ model: 'gpt-all', messages })
    .catch((error: unknown) => error);
  assert(unreached instanceof OpenAI.InternalServerError);
  assert.equal(unreached.headers?.get('x-weir-error'), 'upstream_unavailable');
});

test('a large request goes to the next as well, whose own certificate is verified', async () => {
  await ailing.fail('status-500');
  const content = 'word '.repeat(600_000);
  const body = { model: 'gpt-secure', messages: [{ role: 'user' as const, content }] };
  const { data, response } = await client().chat.completions.create(body).withResponse();
  assert.match(data.choices[0]?.message.content ?? '', /is a city/);
  assert.equal(response.headers.get('x-weir-provider'), 'secure');
  const seen = secure.requests.at(-1);
  assert.equal(seen?.headers.authorization, 'Bearer sk-secure');
  assert.equal(JSON.parse(seen.body.toString()).messages[0].content.length, content.length);
});

test('a caller who hangs up is no fault of the provider', async () => {
  await ailing.fail('hangs');
  const stop = new AbortController();
  const before = ailing.requests.length;
  const call = client().chat.completions.create({ model: 'gpt-left', messages }, { signal: stop.signal });
  while (ailing.requests.length === before) await new Promise((resolve) => setImmediate(resolve));
  stop.abort();
  await assert.rejects(call);
  for (;;) {
    const { exchanges } = await weir.get('/analytics/exchanges?limit=1000');
    const found = exchanges.find((each: { requested_model: string }) => each.requested_model === 'gpt-left');
    if (!found || found.outcome === 'unsettled') continue;
    assert.deepEqual([found.outcome, found.attempts, found.usage_source], ['disconnected', 1, 'counted']);
    assert.deepEqual((await row(found.id)).retried, []);
    break;
  }
});

test('Anthropic’s SDK has its call translated for each who is tried', async () => {
  await ailing.fail('none');
  const claude = new Anthropic({ baseURL: weir.egress, apiKey: weir.callKey, maxRetries: 0 });
  const body = { model: 'gpt-claude', max_tokens: 100, messages };
  const first = await claude.messages.create(body);
  assert.match(first.content[0]?.type === 'text' ? first.content[0].text : '', /is a city/);
  await ailing.fail('status-500');
  const second = await claude.messages.stream({ ...body, system: 'Again.' }).finalMessage();
  assert.equal(second.content[0]?.type === 'text' && second.content[0].text, zurich);
});

test('calls of one model are spread over those who serve it', async () => {
  const providers = await Promise.all(
    Array.from({ length: 40 }, async (_, at) => {
      const body = {
        model: 'spread',
        messages: [{ role: 'user' as const, content: `Call ${at} scenario:text` }],
      };
      const { response } = await client().chat.completions.create(body).withResponse();
      return response.headers.get('x-weir-provider');
    }),
  );
  const openai = providers.filter((each) => each === 'openai').length;
  assert(openai > 20 && openai < 40, `${openai} of 40`);
});

test('attempts have their price in the sums, and are no calls', async () => {
  for (;;) {
    const { rows } = await weir.get('/analytics/breakdown?group_by=provider');
    const of = (name: string) =>
      rows.find(({ group }: { group: { provider: string } }) => group.provider === name);
    const listed = (await weir.rows()).filter(({ provider }) => provider === 'anthropic');
    // The last calls may still be on their way.
    if (!of('hangs') || of('anthropic').calls !== listed.length) continue;
    assert.equal(of('hangs').calls, 0);
    assert(Number(of('hangs').cost_usd) > 0);
    return;
  }
});
