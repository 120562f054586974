import assert from 'node:assert/strict';
import { after, before, mock, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import { corpusMissing, type RecordedExchange, recordedExchanges } from '../fixtures/corpus.ts';
import { type MockProvider, startProvider } from '../fixtures/provider.ts';
import { startWeir, type TestWeir } from '../fixtures/weir.ts';

const of = (form: string, provider: string) =>
  corpusMissing ? [] : recordedExchanges(form).filter((each) => each.provider === provider);
const claude = of('anthropic-messages', 'anthropic');
const gemini = of('gemini-generate', 'google-gla');

let provider: MockProvider;
let weir: TestWeir;
before(async () => {
  if (corpusMissing) return;
  // Anthropic's SDK warns of models that were young when they were recorded.
  mock.method(console, 'warn', () => {});
  provider = await startProvider();
  provider.replay([...claude, ...gemini]);
  weir = await startWeir({
    config: {
      providers: {
        anthropic: { base_url: provider.url, api_key: 'k' },
        gemini: { base_url: provider.url, api_key: 'k' },
      },
      defaults: { cache: { mode: 'off' }, limits: [] },
      log: { level: 'warn' },
    },
  });
});
after(async () => {
  await weir?.stop();
  await provider?.stop();
});

/** A call names the recording that answers it, and itself in the ledger. */
const headersOf = ({ id }: RecordedExchange) => ({
  'x-mock-exchange': encodeURIComponent(id),
  'x-weir-user': encodeURIComponent(id),
});
const bodyOf = ({ request_body }: RecordedExchange) => JSON.parse(request_body ?? '{}');

/** What an SDK gives, or how it fails; without the head of the reply, which weir adds to. */
async function given(ask: () => Promise<unknown>): Promise<unknown> {
  try {
    return JSON.parse(
      JSON.stringify(await ask(), (name, value) => (name === 'sdkHttpResponse' ? null : value)),
    );
  } catch (error) {
    assert(error instanceof Error);
    return { name: error.name, message: error.message, status: Reflect.get(error, 'status') };
  }
}

async function all(chunks: AsyncIterable<unknown>): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const chunk of chunks) found.push(chunk);
  return found;
}

function askClaude(baseURL: string, exchange: RecordedExchange): Promise<unknown> {
  const client = new Anthropic({
    baseURL,
    apiKey: weir.callKey,
    maxRetries: 0,
    defaultHeaders: headersOf(exchange),
  });
  const body = bodyOf(exchange);
  return given(async () => {
    if (!exchange.streamed) return client.beta.messages.create(body);
    // The events, and what the SDK puts together of them.
    const stream = client.beta.messages.stream(body);
    const events = await all(stream);
    return { events, message: await stream.finalMessage() };
  });
}

function askGemini(baseUrl: string, exchange: RecordedExchange): Promise<unknown> {
  const client = new GoogleGenAI({
    apiKey: weir.callKey,
    httpOptions: { baseUrl, headers: headersOf(exchange) },
  });
  const [, model = ''] = /models\/([^:]+):/.exec(exchange.path) ?? [];
  const { contents } = bodyOf(exchange);
  return given(async () =>
    exchange.streamed
      ? all(await client.models.generateContentStream({ model, contents }))
      : client.models.generateContent({ model, contents }),
  );
}

for (const [name, exchanges, ask] of [
  ['Anthropic’s', claude, askClaude],
  ['Google’s', gemini, askGemini],
] as const) {
  test(`${name} SDK makes the same of it with weir as without, plain and streamed`, {
    skip: corpusMissing,
  }, async () => {
    assert(exchanges.some(({ streamed }) => streamed) && exchanges.length > 100);
    for (const exchange of exchanges) {
      const expected = await ask(provider.url, exchange);
      assert.deepEqual(await ask(weir.egress, exchange), expected, exchange.id);
    }
  });
}

test('and the ledger has what it used', { skip: corpusMissing }, async () => {
  const exchanges = [...claude, ...gemini];
  const rows = await weir.allExchanges(exchanges.length);
  assert.equal(rows.length, exchanges.length);
  const byUser = new Map(rows.map((row) => [row.user, row]));
  for (const exchange of exchanges) {
    const row = byUser.get(encodeURIComponent(exchange.id));
    const { usage } = exchange;
    assert(row, exchange.id);
    if (!usage || !exchange.inference) continue;
    assert.deepEqual(
      [row.input_tokens, row.output_tokens, row.usage_source, row.outcome],
      [usage.input_tokens, usage.output_tokens, 'provider', 'completed'],
      exchange.id,
    );
  }
});
