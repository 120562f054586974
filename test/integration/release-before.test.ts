import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { Agent, fetch } from 'undici';
import { recordedConfig } from '../fixtures/before/stands.ts';
import { startChatProvider } from '../fixtures/chat-provider.ts';
import { eventually } from '../fixtures/collector.ts';
import { startElsewhere } from '../fixtures/envoy-elsewhere.ts';
import { startNoTls } from '../fixtures/failing-provider.ts';

const zurich = 'Zürich lies by a lake 🏞️.';

test('pods that were started under the release before go on under this one', async (t) => {
  const [good, noTls] = await Promise.all([startChatProvider('sk-good'), startNoTls()]);
  t.after(() => Promise.all([good.stop(), noTls.stop()]));
  const elsewhere = await startElsewhere(t, recordedConfig(noTls.port, Number(new URL(good.url).port)));
  const dispatcher = new Agent({ connect: { ca: elsewhere.authority, servername: 'localhost' } });
  t.after(() => dispatcher.close());

  for (const [before, what] of [
    ['all', 'while the injector is still of that release, or away'],
    ['bootstrap', 'with what this one tells them'],
  ] as const) {
    const port = await elsewhere.envoy('weir-sidecar', before);
    const client = new OpenAI({
      ...{ baseURL: `https://127.0.0.1:${port}/v1`, apiKey: 'weir_workload', maxRetries: 0 },
      fetch: (url, init) => fetch(String(url), { ...Object(init), dispatcher }) as never,
    });
    // Envoy listens before it has the token that it shows to processors.
    const first = { model: 'moved', messages: [{ role: 'user' as const, content: 'scenario:text Where?' }] };
    await eventually(() => client.chat.completions.create(first).catch(() => undefined));
    // One that another provider serves, translated; one whose first provider fails.
    for (const [model, tried] of [
      ['moved', null],
      ['planned', '2'],
      ['turned', null],
    ] as const) {
      const asked = { model, messages: [{ role: 'user' as const, content: 'scenario:text Where?' }] };
      await t.test(`${what}: ${model}`, async () => {
        const { data, response } = await client.chat.completions.create(asked).withResponse();
        assert.deepEqual(
          [data.choices[0]?.message.content, response.headers.get('x-weir-attempts')],
          [zurich, tried],
        );
        assert.match(response.headers.get('x-weir-id') ?? '', /^[0-9a-f-]{36}$/);
        const streamed = await client.chat.completions.create({ ...asked, stream: true });
        let text = '';
        for await (const chunk of streamed) text += chunk.choices[0]?.delta.content ?? '';
        assert.equal(text, zurich);
        assert.equal(good.requests.at(-1)?.headers['x-api-key'], 'sk-good');
      });
    }
  }
});
