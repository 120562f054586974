import assert from 'node:assert/strict';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import OpenAI from 'openai';
import { Agent, fetch } from 'undici';
import { startChatProvider } from '../fixtures/chat-provider.ts';
import { startElsewhere } from '../fixtures/envoy-elsewhere.ts';
import { type Failure, startFailingProvider, startNoTls } from '../fixtures/failing-provider.ts';

const failures: Failure[] = [
  'refuses',
  'hangs',
  'status-429',
  'status-500',
  'resets',
  'dies-early',
  'error-event',
];
const zurich = 'Zürich lies by a lake 🏞️.';

test('Envoys elsewhere try one provider after the other, each attempt at the processor that has the call', async (t) => {
  const ailing = await startFailingProvider();
  const good = await startChatProvider('sk-good');
  const noTls = await startNoTls();
  t.after(() => Promise.all([ailing.stop(), good.stop(), noTls.stop()]));
  const broken = { api: 'openai', base_url: `${ailing.url}/v1`, api_key: 'sk-ailing' };
  const fallback = [{ provider: 'anthropic', model: 'claude-sonnet-4-5' }];
  const kinds = ['sidecar', 'gateway'];
  const ailed = kinds.flatMap((kind) => failures.map((failure) => `${kind}-${failure}`));
  const elsewhere = await startElsewhere(t, {
    providers: {
      openai: { api: 'openai', base_url: `https://localhost:${noTls.port}/v1`, api_key: 'sk-no-tls' },
      anthropic: { api: 'anthropic', base_url: good.url, api_key: 'sk-good' },
      ...Object.fromEntries([...ailed, 'held', 'many', 'dying', 'later'].map((name) => [name, broken])),
    },
    models: {
      'gpt-no-tls': { provider: 'openai', model: 'gpt-4o', fallback },
      ...Object.fromEntries(
        [...ailed, 'held', 'many', 'dying', 'later'].map((name) => [
          `gpt-${name}`,
          { provider: name, model: 'gpt-4o', first_byte_timeout: '1s', fallback },
        ]),
      ),
    },
  });
  const sidecar = await elsewhere.envoy('weir-sidecar');
  const gateway = await elsewhere.envoy('weir-gateway');
  const dispatcher = new Agent({ connect: { ca: elsewhere.authority, servername: 'localhost' } });
  t.after(() => dispatcher.close());
  const apiKey = 'weir_workload';
  const clients: Record<string, OpenAI> = {
    sidecar: new OpenAI({
      ...{ baseURL: `https://127.0.0.1:${sidecar}/v1`, apiKey, maxRetries: 0 },
      fetch: (url, init) => fetch(String(url), { ...Object(init), dispatcher }) as never,
    }),
    gateway: new OpenAI({ baseURL: `http://127.0.0.1:${gateway}/v1`, apiKey, maxRetries: 0 }),
  };

  async function ask(
    kind: string,
    model: string,
    streamed: boolean,
  ): Promise<{ text: string; tried: string | null }> {
    const client = clients[kind] ?? assert.fail();
    const messages = [{ role: 'user' as const, content: 'scenario:text Where?' }];
    const asked = { model, messages, max_tokens: 100 };
    if (!streamed) {
      const { data, response } = await client.chat.completions.create(asked).withResponse();
      return { text: data.choices[0]?.message.content ?? '', tried: response.headers.get('x-weir-attempts') };
    }
    const { data, response } = await client.chat.completions
      .create({ ...asked, stream: true })
      .withResponse();
    let text = '';
    for await (const chunk of data) text += chunk.choices[0]?.delta.content ?? '';
    return { text, tried: response.headers.get('x-weir-attempts') };
  }

  for (const kind of kinds) {
    for (const failure of failures) {
      for (const streamed of [false, true]) {
        if (failure === 'error-event' && !streamed) continue;
        await t.test(`${kind}: ${failure}, ${streamed ? 'streamed' : 'plain'}`, async () => {
          await ailing.fail(failure);
          assert.deepEqual(await ask(kind, `gpt-${kind}-${failure}`, streamed), { text: zurich, tried: '2' });
          const { headers } = good.requests.at(-1) ?? assert.fail();
          assert.deepEqual([headers['x-api-key'], headers.authorization], ['sk-good', undefined]);
          assert.deepEqual(
            Object.keys(headers).filter((name) => /^x-(weir|envoy|forwarded)/.test(name)),
            [],
          );
        });
      }
    }
  }

  await t.test('the intercepted provider itself talks no TLS', async () => {
    assert.deepEqual(await ask('sidecar', 'gpt-no-tls', false), { text: zurich, tried: '2' });
  });

  await t.test('an attempt that shows no token of the call’s workload is told nothing', async () => {
    await ailing.fail('hangs');
    const seen = ailing.requests.length;
    const running = ask('gateway', 'gpt-held', false);
    while (ailing.requests.length === seen) await new Promise(setImmediate);
    const id = String(ailing.requests.at(-1)?.headers['x-exchange-id']);
    assert.deepEqual(await elsewhere.stealAttempt(id), [status.INTERNAL, status.INTERNAL]);
    assert.deepEqual(await running, { text: zurich, tried: '2' });
  });

  await t.test('many at once, over both processors', async () => {
    await ailing.fail('status-500');
    const calls = Array.from({ length: 40 }, (_, at) => ask(kinds[at % 2] ?? '', 'gpt-many', at % 4 < 2));
    for (const { text } of await Promise.all(calls)) assert.equal(text, zurich);
    for (const { output } of elsewhere.processors) {
      // Level and message of a line for a call (src/exchange/log.ts).
      const told = output()
        .split('\n')
        .filter((line) => line.includes('"msg":"call"'));
      assert(told.length > 5, `${told.length} calls`);
    }
  });

  await t.test('a processor that dies takes the attempts of its calls with it, and no other’s', async () => {
    await ailing.fail('hangs');
    const seen = ailing.requests.length;
    const calls = Promise.allSettled(Array.from({ length: 12 }, () => ask('gateway', 'gpt-dying', false)));
    while (ailing.requests.length < seen + 12) await new Promise(setImmediate);
    await elsewhere.processors[0]?.end('SIGKILL');
    for (const each of await calls) {
      if (each.status === 'fulfilled') assert.equal(each.value.text, zurich);
      else
        assert(
          each.reason instanceof OpenAI.APIError && Number(each.reason.status) >= 500,
          String(each.reason),
        );
    }
    await ailing.fail('status-500');
    for (let at = 0; at < 6; at++)
      assert.equal((await ask('gateway', 'gpt-later', at % 2 === 0)).text, zurich);
    const keys = new Set(good.requests.map(({ headers }) => headers['x-api-key']));
    assert.deepEqual([...keys], ['sk-good']);
  });
});
