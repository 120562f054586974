import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { createPricer } from '../../src/usage/pricer.ts';
import { noUsage } from '../../src/usage/record.ts';
import {
  corpusMissing,
  familyOf,
  type RecordedExchange,
  recordedExchanges,
  requestBody,
  responseBody,
} from '../fixtures/corpus.ts';
import { type MockProvider, startProvider } from '../fixtures/provider.ts';
import { startWeir, type TestWeir } from '../fixtures/weir.ts';

const recorded = corpusMissing ? [] : recordedExchanges().filter((each) => familyOf(each) !== null);
const streams = recorded.filter(({ streamed }) => streamed);
const chat = recorded.filter(({ api_form }) => api_form === 'openai-chat');

const asking = chat.filter(
  (each) => each.streamed && JSON.parse(each.request_body ?? '{}').stream_options?.include_usage,
);

/** A gateway names whom it calls in the path. */
const nameOf = ({ provider, path }: RecordedExchange) =>
  provider === 'gateway' ? `gateway-${path.split('/')[1]}` : provider;

let provider: MockProvider;
let weir: TestWeir;
before(async () => {
  provider = await startProvider();
  provider.replay(recorded);
  const config = recorded.map((each) => [
    nameOf(each),
    { api: familyOf(each), base_url: provider.url, api_key: 'k', ask_usage: false },
  ]);
  const asked = { api: 'openai', base_url: provider.url, api_key: 'k' };
  weir = await startWeir({
    config: {
      providers: { ...Object.fromEntries(config), asked },
      defaults: { cache: { mode: 'off' }, limits: [] },
      log: { level: 'warn' },
    },
  });
});
after(async () => {
  await weir.stop();
  await provider.stop();
});

/** The status and the bytes that a caller gets. */
async function send(
  exchange: RecordedExchange,
  headers: Record<string, string>,
  body = requestBody(exchange),
) {
  const response = await fetch(`${weir.egress}/providers/${nameOf(exchange)}${exchange.path}`, {
    method: exchange.method,
    headers: {
      authorization: `Bearer ${weir.callKey}`,
      'x-mock-exchange': encodeURIComponent(exchange.id),
      ...(exchange.request_content_type && { 'content-type': exchange.request_content_type }),
      ...headers,
    },
    ...(body.length > 0 && { body: new Uint8Array(body) }),
  });
  return { status: response.status, body: Buffer.from(await response.arrayBuffer()) };
}

test('every recorded exchange reaches the caller byte for byte', { skip: corpusMissing }, async () => {
  for (const exchange of recorded) {
    const found = await send(exchange, { 'x-weir-user': encodeURIComponent(exchange.id) });
    assert.equal(found.status, exchange.status, exchange.id);
    assert(found.body.equals(responseBody(exchange)), exchange.id);
  }
});

test('streams are the same however they are cut', { skip: corpusMissing }, async () => {
  for (const exchange of streams) {
    const expected = responseBody(exchange);
    for (const chunk of [expected.length > 8_000 ? '7' : '1', 'random']) {
      const user = `${encodeURIComponent(exchange.id)} cut`;
      const found = await send(exchange, { 'x-mock-chunk': chunk, 'x-weir-user': user });
      assert(found.body.equals(expected), exchange.id);
    }
  }
});

test('OpenAI’s SDK makes the same of it with weir as without', { skip: corpusMissing }, async () => {
  const ask = async (baseURL: string, exchange: RecordedExchange) => {
    const client = new OpenAI({
      baseURL: baseURL + exchange.path.replace(/\/chat\/completions$/, ''),
      apiKey: weir.callKey,
      maxRetries: 0,
      defaultHeaders: { 'x-mock-exchange': encodeURIComponent(exchange.id), 'x-weir-user': 'sdk' },
    });
    const body = JSON.parse(exchange.request_body ?? '{}');
    try {
      const answer = await client.chat.completions.create(body);
      if (!body.stream) return answer;
      const chunks: unknown[] = [];
      for await (const chunk of answer as unknown as AsyncIterable<unknown>) chunks.push(chunk);
      return chunks;
    } catch (error) {
      if (!(error instanceof OpenAI.APIError)) throw error;
      return { status: error.status, message: error.message, error: error.error };
    }
  };
  for (const exchange of chat) {
    const through = await ask(`${weir.egress}/providers/${nameOf(exchange)}`, exchange);
    assert.deepEqual(through, await ask(provider.url, exchange), exchange.id);
  }
});

/** The data of server-sent events, without what only the question for usage brings. */
function withoutUsage(text: string): unknown[] {
  return text.split(/\r?\n\r?\n/).flatMap((event) => {
    const data = /^data: ?(.*)$/m.exec(event)?.[1];
    if (!data?.startsWith('{')) return data === undefined ? [] : [data];
    const { usage, ...chunk } = JSON.parse(data);
    return usage && chunk.choices?.length === 0 ? [] : [chunk];
  });
}

test('usage that the caller did not ask for is asked for, written down, and taken out', {
  skip: corpusMissing,
}, async () => {
  assert(asking.length > 10);
  for (const exchange of asking) {
    const { stream_options, ...request } = JSON.parse(exchange.request_body ?? '{}');
    const expected = responseBody(exchange).toString();
    for (const chunk of ['random', '1000000']) {
      const found = await send(
        { ...exchange, provider: 'asked' },
        { 'x-mock-chunk': chunk, 'x-weir-user': `${encodeURIComponent(exchange.id)} asked` },
        Buffer.from(JSON.stringify(request)),
      );
      assert.deepEqual(withoutUsage(found.body.toString()), withoutUsage(expected), exchange.id);
      assert(!found.body.includes('"usage":{'), exchange.id);
    }
    const sent = JSON.parse(provider.requests.at(-1)?.body.toString() ?? '{}');
    assert.deepEqual(sent, { ...request, stream_options: { include_usage: true } });
  }
});

test('the ledger has the tokens that were told, and their price', { skip: corpusMissing }, async () => {
  // Each once, streams twice cut, chat once by the SDK, and those that were asked twice.
  const count = recorded.length + 2 * streams.length + chat.length + 2 * asking.length;
  const rows = await weir.allExchanges(count);
  assert.equal(rows.length, count);
  const byUser = Map.groupBy(rows, ({ user }) => user);
  const wrong: unknown[] = [];
  for (const exchange of recorded) {
    const user = encodeURIComponent(exchange.id);
    const [whole, ...twice] = byUser.get(user) ?? [];
    const cut = byUser.get(`${user} cut`) ?? [];
    const asked = byUser.get(`${user} asked`) ?? [];
    assert.deepEqual([twice.length, cut.length], [0, exchange.streamed ? 2 : 0], exchange.id);
    // A provider of another name has another price.
    const repriced = asked.map((each) => ({ ...each, list_usd: whole?.list_usd ?? null }));
    for (const row of [whole, ...cut, ...repriced]) {
      const difference = row ? differs(row, exchange) : 'there is no row';
      if (difference) wrong.push(JSON.stringify([exchange.id, difference]));
    }
  }
  assert.deepEqual(wrong, []);
});

const pricer = createPricer();

/** How a row differs from what the recording tells; null: not at all. Counts that it does not tell are not compared. */
function differs(
  row: Awaited<ReturnType<TestWeir['allExchanges']>>[number],
  exchange: RecordedExchange,
): unknown {
  const { usage, inference } = exchange;
  if (!usage || !inference) {
    // What was made in the background got its numbers by a later read, which has none itself.
    const free = row.usage_source !== 'provider' || /background/.test(exchange.usage_note ?? '');
    return free ? null : { unexpected: row };
  }
  const names = ['input', 'output', 'cache_read', 'cache_write', 'reasoning'] as const;
  const counts = names.map((name) => [usage[`${name}_tokens`], row[`${name}_tokens`]]);
  if (counts.some(([told, found]) => told !== null && told !== found)) return { counts };
  const [told, found] = [exchange.price_usd ?? null, row.list_usd === null ? null : Number(row.list_usd)];
  const equal = told !== null && found !== null ? Math.abs(found - told) <= 1e-9 * told : told === found;
  return equal || hasAnotherPriceHere(exchange) ? null : { told, row };
}

/**
 * Some prices depend on the hour, and some on a host that the mock provider is not at; dialects.test.ts
 * holds all of them against the recorded ones, at their hour and host.
 */
function hasAnotherPriceHere(exchange: RecordedExchange): boolean {
  const price = (name: string, origin: string, at: number) =>
    pricer({
      provider: name,
      baseUrl: origin + exchange.path,
      model: exchange.model_reported ?? exchange.model_requested ?? '',
      usage: { ...noUsage, input: 1000, output: 1000, cacheRead: 100 },
      parts: [],
      tools: {},
      serviceTier: null,
      terms: {},
      credential: null,
      at,
    })?.usd;
  const then = price(exchange.provider, `https://${exchange.provider_host}`, Date.UTC(2026, 10, 23, 12));
  return exchange.provider === 'gateway' || then !== price(exchange.provider, provider.url, Date.now());
}
