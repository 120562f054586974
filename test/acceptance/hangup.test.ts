import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import { get_encoding } from 'tiktoken';
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

const forms = [
  'openai-chat',
  'openai-responses',
  'anthropic-messages',
  'gemini-generate',
  'bedrock-converse',
];
/** The shortest whole stream of each form. */
const streams = corpusMissing ? [] : forms.map(shortest);
/** All of them with `WEIR_TEST_OFFSETS=all`. */
const offsetsOfEach = process.env.WEIR_TEST_OFFSETS === 'all' ? Number.POSITIVE_INFINITY : 100;
const parallel = 16;

function shortest(form: string): RecordedExchange {
  const whole = recordedExchanges(form).filter(
    (each) => each.streamed && each.status === 200 && each.usage?.output_tokens && each.price_usd,
  );
  // A stream with some text in it, where the form tells text by deltas.
  const said = (each: RecordedExchange) =>
    responseBody(each)
      .toString()
      .match(/(text|thinking)_delta/g)?.length;
  const talking = whole.filter((each) => form !== 'anthropic-messages' || (said(each) ?? 0) >= 10);
  talking.sort((a, b) => responseBody(a).length - responseBody(b).length);
  assert(talking[0]);
  return talking[0];
}

type Row = Awaited<ReturnType<TestWeir['allExchanges']>>[number];

let provider: MockProvider;
let weir: TestWeir;
let rows: Map<string, Row[]>;

before(async () => {
  if (corpusMissing) return;
  provider = await startProvider();
  provider.replay(streams);
  const config = streams.map((each) => [
    each.provider,
    { api: familyOf(each), base_url: provider.url, api_key: 'k', ask_usage: false },
  ]);
  weir = await startWeir({
    config: {
      providers: Object.fromEntries(config),
      defaults: { cache: { mode: 'off' }, limits: [] },
      log: { level: 'warn' },
    },
  });
  const calls = streams.flatMap((exchange) =>
    offsets(exchange).flatMap((offset) => [
      () => leave(exchange, offset),
      () =>
        call(
          exchange,
          { 'x-mock-break-after': String(offset) },
          `broken ${nameOf(exchange, offset)}`,
          () => false,
        ),
    ]),
  );
  const { length } = calls;
  await Promise.all(
    Array.from({ length: parallel }, async () => {
      for (let next = calls.pop(); next; next = calls.pop()) await next();
    }),
  );
  rows = Map.groupBy(await weir.allExchanges(length), ({ user }) => user);
});
after(async () => {
  await weir?.stop();
  await provider?.stop();
});

const nameOf = (exchange: RecordedExchange, offset: number) => `${exchange.api_form} ${offset}`;

/** Every byte of a short stream, so many places of a longer one, the last fifty in any case. */
function offsets(exchange: RecordedExchange): number[] {
  // Whoever leaves before a last line feed has the whole answer.
  const { length } = responseBody(exchange).toString('latin1').trimEnd();
  const step = Math.max(1, Math.ceil(length / offsetsOfEach));
  const all = Array.from({ length: length - 1 }, (_, index) => index + 1);
  return all.filter((offset) => offset % step === 0 || offset > length - 50);
}

/** Reads a stream until `enough` says so, then hangs up; resolves when the call is over. */
function call(
  exchange: RecordedExchange,
  headers: Record<string, string>,
  user: string,
  enough: (bytes: number) => boolean,
): Promise<void> {
  return new Promise((resolve) => {
    const sent = request(`${weir.egress}/providers/${exchange.provider}${exchange.path}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${weir.callKey}`,
        'content-type': 'application/json',
        'x-mock-exchange': encodeURIComponent(exchange.id),
        'x-weir-user': user,
        ...headers,
      },
    });
    sent.on('error', () => resolve());
    sent.on('response', (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (enough(bytes)) response.destroy();
      });
      response.on('error', () => {});
      response.on('close', resolve);
    });
    sent.end(requestBody(exchange));
  });
}

/** The provider stops at an offset and says nothing more until the caller has hung up. */
async function leave(exchange: RecordedExchange, offset: number): Promise<void> {
  const user = `left ${nameOf(exchange, offset)}`;
  await call(exchange, { 'x-mock-hang': String(offset), 'x-call': user }, user, (bytes) => bytes >= offset);
  await provider.requests.find(({ headers }) => headers['x-call'] === user)?.hungUp;
}

for (const [index, form] of forms.entries()) {
  test(`${form}: wherever the caller leaves or the provider breaks off, there is one row that tells it`, {
    skip: corpusMissing,
  }, () => {
    const exchange = streams[index];
    assert(exchange);
    for (const offset of offsets(exchange)) {
      for (const [kind, outcome] of Object.entries({ left: 'disconnected', broken: 'upstream_error' })) {
        const name: string = `${kind} ${nameOf(exchange, offset)}`;
        const [row, ...more]: Row[] = rows.get(name) ?? [];
        assert(row && more.length === 0, `${name}: ${more.length + (row ? 1 : 0)} rows`);
        assert.equal(row.outcome, outcome, name);
        assert(row.input_tokens > 0 && row.output_tokens >= 0, `${name}: ${JSON.stringify(row)}`);
        assert.notEqual(row.cost_usd, null, name);
        if (row.usage_source !== 'provider') {
          assert(row.cost_upper_usd !== null, `${name} has an upper bound`);
          assert(Number(row.cost_upper_usd) >= Number(row.cost_usd), name);
        }
      }
    }
  });
}

test('OpenAI text that came before a hang-up is counted, and the provider’s numbers win once they came', {
  skip: corpusMissing,
}, () => {
  const [exchange] = streams;
  assert(exchange?.usage);
  const encoding = get_encoding('o200k_base');
  const whole = responseBody(exchange);
  for (const offset of offsets(exchange)) {
    const [row]: Row[] = rows.get(`left ${nameOf(exchange, offset)}`) ?? [];
    const events = whole.subarray(0, offset).toString().split('\n\n').slice(0, -1);
    const chunks = events.flatMap((event) =>
      event.includes('{') ? [JSON.parse(event.replace(/^data: /, ''))] : [],
    );
    if (chunks.some(({ usage }) => usage)) {
      assert.deepEqual(
        [row.usage_source, row.input_tokens, row.output_tokens],
        ['provider', exchange.usage.input_tokens, exchange.usage.output_tokens],
      );
      continue;
    }
    const deltas = chunks.flatMap(({ choices }) => choices.map(({ delta }: { delta: object }) => delta));
    const text = deltas
      .map(
        (delta) =>
          delta.content ??
          delta.tool_calls
            ?.map((each: { function: { arguments: string } }) => each.function.arguments)
            .join('') ??
          '',
      )
      .join('');
    const visible = encoding.encode_ordinary(text).length;
    // A tool call's name is counted as well.
    const slack = Math.max(3, 0.02 * visible);
    assert(
      Math.abs(row.output_tokens - visible) <= slack,
      `${offset}: ${row.output_tokens}, seen ${visible}`,
    );
  }
});

test('Claude’s text that came before a hang-up is in the estimate, whatever its first event said of the output', {
  skip: corpusMissing,
}, () => {
  const exchange = streams[forms.indexOf('anthropic-messages')];
  assert(exchange?.usage);
  let estimated = 0;
  for (const offset of offsets(exchange)) {
    const [row]: Row[] = rows.get(`left ${nameOf(exchange, offset)}`) ?? [];
    const came = responseBody(exchange).subarray(0, offset).toString().split('\n\n').slice(0, -1);
    if (came.some((event) => event.startsWith('event: message_delta'))) {
      assert.deepEqual([row.usage_source, row.output_tokens], ['provider', exchange.usage.output_tokens]);
      continue;
    }
    const text = came
      .map((event) => /"(?:text|thinking|partial_json)_?\w*":"(.*?)"\}/.exec(event)?.[1] ?? '')
      .join('');
    assert.notEqual(row.usage_source, 'provider', `${offset}: the output is not known yet`);
    assert(
      row.output_tokens >= text.length / 8,
      `${offset}: ${row.output_tokens} tokens, seen ${text.length} characters`,
    );
    if (text.length > 20) estimated++;
  }
  assert(estimated > 5, 'there was text to estimate');
});
