import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { type ChatProvider, startChatProvider } from '../fixtures/chat-provider.ts';
import {
  type FailingProvider,
  type Failure,
  startFailingProvider,
  startNoTls,
} from '../fixtures/failing-provider.ts';
import { startWeir, type TestWeir } from '../fixtures/weir.ts';

let ailing: FailingProvider;
let claude: ChatProvider;
let noTls: Awaited<ReturnType<typeof startNoTls>>;
let weir: TestWeir;
/** Each test has models of its own: a failure makes weir leave a model alone. */
const failures: Failure[] = [
  'refuses',
  'hangs',
  'status-429',
  'retry-after',
  'status-500',
  'status-503',
  'resets',
  'dies-early',
  'error-event',
];
const fallback = [{ provider: 'anthropic', model: 'claude-sonnet-4-5' }];
const first_byte_timeout = '1s';
before(async () => {
  ailing = await startFailingProvider();
  claude = await startChatProvider('sk-ant');
  noTls = await startNoTls();
  weir = await startWeir({
    config: {
      providers: {
        openai: { base_url: `${ailing.url}/v1`, api_key: 'sk-openai' },
        anthropic: { base_url: claude.url, api_key: 'sk-ant' },
        'no-tls': { api: 'openai', base_url: `https://127.0.0.1:${noTls.port}/v1`, api_key: 'sk-no-tls' },
      },
      models: {
        ...Object.fromEntries(
          [...failures, 'none', 'dies-late'].map((name) => [
            `gpt-${name}`,
            { provider: 'openai', first_byte_timeout, fallback },
          ]),
        ),
        'gpt-broken-tls': { provider: 'no-tls', fallback },
      },
      defaults: { limits: [], cache: { mode: 'off' } },
      log: { level: 'warn' },
    },
  });
});
after(async () => {
  await weir.stop();
  await ailing.stop();
  await claude.stop();
  await noTls.stop();
});

const openai = () => new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey: weir.callKey, maxRetries: 0 });
const messages = [{ role: 'user' as const, content: 'scenario:text Where?' }];

for (const failure of [...failures, 'broken-tls'] as const) {
  for (const streamed of [false, true]) {
    if (failure === 'error-event' && !streamed) continue;
    test(`${failure}, ${streamed ? 'streamed' : 'plain'}: the caller gets one good answer of the next`, async () => {
      const isAiling = failure !== 'broken-tls';
      if (isAiling) await ailing.fail(failure);
      const model = `gpt-${failure}`;
      let answer = '';
      let response: Response;
      if (streamed) {
        const call = await openai().chat.completions.create({ model, messages, stream: true }).withResponse();
        response = call.response;
        for await (const chunk of call.data) answer += chunk.choices[0]?.delta.content ?? '';
      } else {
        const call = await openai().chat.completions.create({ model, messages }).withResponse();
        response = call.response;
        answer = call.data.choices[0]?.message.content ?? '';
      }
      assert.equal(answer, 'Zürich lies by a lake 🏞️.');
      assert.equal(response.headers.get('x-weir-provider'), 'anthropic');
      assert.equal(
        response.headers.get('x-weir-attempts'),
        failure === 'retry-after' && streamed ? null : '2',
      );
      const seen = claude.requests.at(-1);
      assert.equal(seen?.headers['x-api-key'], 'sk-ant');
      assert.equal(seen?.headers.authorization, undefined);
      assert.equal(
        Object.keys(seen?.headers ?? {}).find((name) => /^x-(weir|envoy)/.test(name)),
        undefined,
      );
    });
  }
}
