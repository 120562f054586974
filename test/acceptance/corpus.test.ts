import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { createPricer } from '../../src/usage/pricer.ts';
import { corpusMissing, type RecordedExchange, recordedExchanges } from '../fixtures/corpus.ts';
import { type MockProvider, startProvider } from '../fixtures/provider.ts';
import { startWeir, type TestWeir } from '../fixtures/weir.ts';

const recorded = corpusMissing ? [] : recordedExchanges('openai-chat');
const price = createPricer();

let provider: MockProvider;
let weir: TestWeir;
before(async () => {
  provider = await startProvider();
  provider.replay(recorded);
  const names = new Set(recorded.map((each) => each.provider));
  const providers = [...names].map((name) => [name, { api: 'openai', base_url: provider.url, api_key: 'k' }]);
  weir = await startWeir({
    config: { providers: Object.fromEntries(providers), defaults: { cache: { mode: 'off' }, limits: [] } },
  });
});
after(async () => {
  await weir.stop();
  await provider.stop();
});

/** What the SDK makes of a recorded exchange: the answer, the chunks, or the error. */
async function ask(
  baseURL: string,
  apiKey: string,
  exchange: RecordedExchange,
  headers: Record<string, string>,
): Promise<unknown> {
  const path = exchange.path.replace(/\/chat\/completions$/, '');
  const client = new OpenAI({
    baseURL: baseURL + path,
    apiKey,
    maxRetries: 0,
    defaultHeaders: { 'x-mock-exchange': exchange.id, ...headers },
  });
  const body = JSON.parse(exchange.request_body ?? '{}');
  try {
    if (!body.stream) return await client.chat.completions.create(body);
    const streaming: OpenAI.ChatCompletionCreateParamsStreaming = { ...body, stream: true };
    const answer = await client.chat.completions.create(streaming);
    const chunks: unknown[] = [];
    for await (const chunk of answer) chunks.push(chunk);
    return chunks;
  } catch (error) {
    if (!(error instanceof OpenAI.APIError)) throw error;
    return { status: error.status, message: error.message, error: error.error };
  }
}

const through = (exchange: RecordedExchange, headers: Record<string, string> = {}) =>
  ask(`${weir.egress}/providers/${exchange.provider}`, weir.callKey, exchange, {
    'x-weir-user': exchange.id,
    ...headers,
  });
const direct = (exchange: RecordedExchange) => ask(provider.url, 'k', exchange, {});

test('every recorded exchange gives the SDK the same with weir as without', {
  skip: corpusMissing,
}, async () => {
  for (const exchange of recorded)
    assert.deepEqual(await through(exchange), await direct(exchange), exchange.id);
});

test('streams are the same however they are cut', { skip: corpusMissing }, async () => {
  for (const exchange of recorded.filter(({ streamed }) => streamed)) {
    const expected = await direct(exchange);
    const size = (exchange.response_body?.length ?? 0) > 8_000 ? '7' : '1';
    for (const chunk of [size, 'random']) {
      assert.deepEqual(
        await through(exchange, { 'x-mock-chunk': chunk, 'x-weir-user': `${exchange.id} cut` }),
        expected,
        exchange.id,
      );
    }
  }
});

test('the ledger has the tokens that were told, and their price', { skip: corpusMissing }, async () => {
  const streams = recorded.filter(({ streamed }) => streamed).length;
  const rows = await weir.exchanges(recorded.length + 2 * streams);
  assert.equal(rows.length, recorded.length + 2 * streams);
  const byId = new Map(recorded.map((exchange) => [exchange.id, exchange]));
  const wrong: unknown[] = [];
  for (const row of rows) {
    const exchange = byId.get(row.user.replace(/ cut$/, ''));
    const usage = exchange?.usage;
    const found = [
      row.input_tokens,
      row.output_tokens,
      row.cache_read_tokens,
      row.cache_write_tokens,
      row.reasoning_tokens,
    ];
    const told = usage
      ? [
          usage.input_tokens,
          usage.output_tokens,
          usage.cache_read_tokens,
          usage.cache_write_tokens,
          usage.reasoning_tokens,
        ]
      : [null, null, null, null, null];
    const expected = told.map((count, index) => (usage && count === null ? found[index] : count));
    // Some prices depend on the hour: those of the hour of this call are meant.
    const cost = usage ? expectedCost(exchange, row.started_at) : null;
    if (JSON.stringify(found) !== JSON.stringify(expected) || row.cost_usd !== cost)
      wrong.push({ id: row.user, found, expected, cost, row: row.cost_usd });
  }
  assert.deepEqual(wrong, []);
});

/** The price of a recorded exchange at this time, as pricer.test.ts holds it against the recorded ones. */
function expectedCost(exchange: RecordedExchange | undefined, at: string): string | null {
  const { usage } = exchange ?? {};
  if (!exchange || !usage) return null;
  const details = usage.details ?? {};
  const part = (name: string) => (typeof details[name] === 'number' ? details[name] : null);
  const query = {
    provider: exchange.provider,
    baseUrl: provider.url,
    at: Date.parse(at),
    serviceTier: exchange.service_tier ?? null,
    usage: {
      input: usage.input_tokens,
      output: usage.output_tokens,
      cacheRead: usage.cache_read_tokens,
      cacheWrite: usage.cache_write_tokens,
      reasoning: usage.reasoning_tokens,
      inputAudio: part('input_audio_tokens'),
      outputAudio: part('output_audio_tokens'),
      cacheReadAudio: part('cache_audio_read_tokens'),
    },
  };
  const model = exchange.model_reported ?? exchange.model_requested ?? '';
  return price({ ...query, model })?.usd ?? null;
}
