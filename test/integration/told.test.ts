import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { pino } from 'pino';
import { retryLetter } from '../../src/collector/letters.ts';
import { createPricer } from '../../src/usage/pricer.ts';
import { testApi } from '../fixtures/api.ts';
import { startCollector } from '../fixtures/collector.ts';
import { makeOrganization } from '../fixtures/organization.ts';
import { traceRequest, usageRecord } from '../fixtures/usage-records.ts';

type Attributes = Record<string, string | number | boolean | string[]>;
interface SpanFacts {
  traceId?: string;
  spanId?: string;
  parentSpanId?: string;
  name?: string;
  kind?: number;
  startedAt?: number;
  attributes: Attributes;
}
const start = Date.UTC(2026, 10, 20);

const value = (each: Attributes[string]): object =>
  Array.isArray(each)
    ? { arrayValue: { values: each.map(value) } }
    : typeof each === 'string'
      ? { stringValue: each }
      : typeof each === 'boolean'
        ? { boolValue: each }
        : { intValue: String(each) };
const pairs = (attributes: Attributes) =>
  Object.entries(attributes).map(([key, each]) => ({ key, value: value(each) }));

/** An export request in OTLP's JSON. */
function request(spans: SpanFacts[], resource: Attributes = {}): string {
  return JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: pairs(resource) },
        scopeSpans: [
          {
            spans: spans.map(({ startedAt = start, attributes, ...span }) => ({
              traceId: randomBytes(16).toString('hex'),
              spanId: randomBytes(8).toString('hex'),
              name: 'chat',
              kind: 3,
              startTimeUnixNano: `${startedAt}000000`,
              endTimeUnixNano: `${startedAt + 500}000000`,
              ...span,
              attributes: pairs(attributes),
            })),
          },
        ],
      },
    ],
  });
}

/** By the conventions of today. */
const current = {
  'gen_ai.provider.name': 'openai',
  'gen_ai.operation.name': 'chat',
  'gen_ai.request.model': 'gpt-4o',
  'gen_ai.response.model': 'gpt-4o-2024-08-06',
  'gen_ai.usage.input_tokens': 1_000,
  'gen_ai.usage.output_tokens': 100,
  'gen_ai.response.finish_reasons': ['stop'],
  'server.address': 'api.openai.com',
};
/** As instrumentations wrote them in 2024. */
const old = {
  'gen_ai.system': 'openai',
  'llm.request.type': 'chat',
  'gen_ai.request.model': 'gpt-4o',
  'gen_ai.response.model': 'gpt-4o-2024-08-06',
  'gen_ai.usage.prompt_tokens': 1_000,
  'gen_ai.usage.completion_tokens': 100,
};

async function house(t: TestContext, options: { traces?: boolean } = {}) {
  const collector = await startCollector(t, options);
  const tell = async (spans: SpanFacts[], resource?: Attributes) => {
    const answer = await collector.post('/v1/traces', gzipSync(request(spans, resource)), {
      'content-type': 'application/json',
      'content-encoding': 'gzip',
    });
    assert.deepEqual([answer.status, await answer.json()], [200, {}]);
  };
  const usage = () =>
    collector.rows<Record<string, unknown>>('SELECT * FROM usage ORDER BY started_at, span_id');
  return { ...collector, tell, usage };
}

test('an application that tells of its calls itself has them in the ledger, by old names and new', async (t) => {
  const { tell, usage } = await house(t);
  const resource = { 'service.name': 'search', 'k8s.namespace.name': 'shop', 'k8s.cluster.name': 'prod' };
  await tell([{ attributes: current }, { attributes: old, startedAt: start + 1 }], resource);
  for (const row of await usage()) {
    assert.partialDeepStrictEqual(row, {
      organization: 'default',
      provider: 'openai',
      operation: 'chat',
      requested_model: 'gpt-4o',
      model: 'gpt-4o-2024-08-06',
      workload: 'prod/shop/search',
      input_tokens: 1_000,
      output_tokens: 100,
      usage_source: 'provider',
      outcome: 'completed',
      duration_ms: 500,
      cost_usd: '0.0035',
      origin: 'span',
    });
  }
  assert.deepEqual(
    (await usage()).map(({ finish_reason }) => finish_reason),
    ['stop', null],
  );
});

test('input is counted with what is cached, as its teller means it', async (t) => {
  const { tell, usage } = await house(t);
  const claude = {
    'gen_ai.operation.name': 'chat',
    'gen_ai.request.model': 'claude-sonnet-4-5',
    'gen_ai.usage.output_tokens': 1,
  };
  await tell([
    {
      attributes: {
        ...claude,
        'gen_ai.provider.name': 'anthropic',
        'gen_ai.usage.input_tokens': 5_000,
        'gen_ai.usage.cache_read.input_tokens': 4_000,
      },
    },
    {
      startedAt: start + 1,
      attributes: {
        ...claude,
        'gen_ai.system': 'anthropic',
        'gen_ai.usage.input_tokens': 1_000,
        'gen_ai.usage.cache_read_input_tokens': 4_000,
      },
    },
  ]);
  const rows = await usage();
  assert.deepEqual(
    rows.map(({ input_tokens, cache_read_tokens, cost_usd }) => [input_tokens, cache_read_tokens, cost_usd]),
    [
      [5_000, 4_000, '0.004215'],
      [5_000, 4_000, '0.004215'],
    ],
  );
});

test('agents, tools, servers and everything else are no calls', async (t) => {
  const { tell, usage, collector } = await house(t);
  await tell([
    { attributes: { ...current, 'gen_ai.operation.name': 'invoke_agent' } },
    { attributes: { ...current, 'gen_ai.operation.name': 'execute_tool' } },
    { attributes: current, kind: 2 },
    { attributes: { 'http.request.method': 'GET' } },
    { attributes: { 'gen_ai.system': 'openai', 'gen_ai.request.model': 'gpt-4o' } },
  ]);
  assert.deepEqual(await usage(), []);
  assert.deepEqual([collector.counts.ignored, collector.counts.told], [5, 0]);
});

test('a call that weir saw is one row, whoever tells of it first, and also at once', async (t) => {
  const { tell, usage, export: send } = await house(t);
  const calls = Array.from({ length: 60 }, (_, n) => {
    const responseId = `chatcmpl-${n}`;
    const seen = usageRecord({ startedAt: start + n, responseId, provider: n % 2 ? 'openai' : 'the-house' });
    return {
      seen,
      told: { startedAt: start + n, attributes: { ...current, 'gen_ai.response.id': responseId } },
    };
  });
  const [first, second, both] = [calls.slice(0, 20), calls.slice(20, 40), calls.slice(40)];
  await tell(first.map(({ told }) => told));
  await send('traces', traceRequest(first.map(({ seen }) => seen)));
  await send('traces', traceRequest(second.map(({ seen }) => seen)));
  await tell(second.map(({ told }) => told));
  await Promise.all(both.flatMap(({ seen, told }) => [tell([told]), send('traces', traceRequest([seen]))]));
  const rows = await usage();
  assert.deepEqual(
    rows.map(({ id }) => id),
    calls.map(({ seen }) => seen.id),
  );
  // Somebody else’s answer of the same number is another call.
  await tell([
    {
      attributes: {
        ...current,
        'gen_ai.provider.name': 'anthropic',
        'server.address': 'x',
        'gen_ai.response.id': 'chatcmpl-1',
      },
    },
  ]);
  assert.equal((await usage()).length, 61);
});

test('two instrumentations of one call are one row', async (t) => {
  const { tell, usage } = await house(t);
  const attributes = { ...current, 'gen_ai.response.id': 'chatcmpl-7' };
  const outer = { startedAt: start, attributes };
  const inner = { startedAt: start + 5, attributes: { ...attributes, ...old } };
  await Promise.all([tell([outer]), tell([inner]), tell([inner, outer])]);
  assert.deepEqual(
    (await usage()).map(({ started_at }) => (started_at as Date).getTime()),
    [start + 5],
  );
});

test('the OpenTelemetry SDK tells of calls by gRPC, protobuf and JSON', async (t) => {
  const { grpcUrl, httpUrl, rows } = await house(t);
  const sender = new URL('../fixtures/otel-sender.ts', import.meta.url).pathname;
  for (const protocol of ['grpc', 'http/protobuf', 'http/json']) {
    const id = `chatcmpl-${protocol}`;
    const env = {
      ...process.env,
      OTEL_TRACES_EXPORTER: 'otlp',
      OTEL_METRICS_EXPORTER: 'none',
      OTEL_LOGS_EXPORTER: 'none',
      OTEL_SERVICE_NAME: 'search',
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
      OTEL_EXPORTER_OTLP_ENDPOINT: protocol === 'grpc' ? grpcUrl : httpUrl,
    };
    const { 'gen_ai.response.finish_reasons': _, ...attributes } = current;
    const args = [sender, JSON.stringify({ ...attributes, 'gen_ai.response.id': id })];
    await promisify(execFile)(process.execPath, args, { env, timeout: 30_000 });
    const found = await rows('SELECT cost_usd, workload FROM usage WHERE response_id = $1', [id]);
    assert.deepEqual(found, [{ cost_usd: '0.0035', workload: '-/-/search' }], protocol);
  }
});

test('with traces on, a trace shows the application around its calls, and no prompts', async (t) => {
  const { pool, tell, export: send } = await house(t, { traces: true });
  const { admin: key } = await makeOrganization(pool, 'acme');
  const api = await testApi(t, pool);
  const traceId = randomBytes(16).toString('hex');
  const spanId = randomBytes(8).toString('hex');
  const secret = {
    'gen_ai.prompt.0.content': 'a secret',
    'gen_ai.input.messages': 'a secret',
    'input.value': 'a secret',
  };
  await tell(
    [
      { traceId, spanId, name: 'GET /search', kind: 2, attributes: { 'http.route': '/search' } },
      {
        traceId,
        parentSpanId: spanId,
        name: 'chat gpt-4o',
        startedAt: start + 1,
        attributes: { ...current, ...secret },
      },
    ],
    { 'service.name': 'search', 'weir.organization': 'acme' },
  );
  await send(
    'traces',
    traceRequest([
      usageRecord({ organization: 'acme', traceId, parentSpanId: spanId, startedAt: start + 2 }),
    ]),
  );
  const { body, text } = await api.ask('GET', `/analytics/traces/${traceId}`, { key });
  assert.deepEqual(
    body.spans.map(({ name, service, cost_usd }: Record<string, unknown>) => [name, service, cost_usd]),
    [
      ['GET /search', 'search', null],
      ['chat gpt-4o', 'search', '0.0035'],
      ['chat gpt-4o', 'weir', '0.0045'],
    ],
  );
  assert.doesNotMatch(text, /a secret/);
  assert.equal((await api.ask('GET', `/analytics/traces/${'0'.repeat(32)}`, { key })).status, 404);
});

test('a dead letter can be looked at, and tried again when what was wrong is right', async (t) => {
  const { pool, tell, export: send, usage } = await house(t);
  const { admin: key } = await makeOrganization(pool, 'acme');
  const options = {
    pool,
    source: { pricer: createPricer(), providers: {} },
    log: pino({ level: 'silent' }),
    now: () => start,
  };
  const api = await testApi(t, pool, {
    retryLetter: (organization, id) => retryLetter(organization, id, options),
  });
  await pool.query(`ALTER TABLE usage ADD CONSTRAINT odd CHECK (requested_model <> 'odd')`);
  const record = usageRecord({ organization: 'acme', requestedModel: 'odd', startedAt: start });
  await send('traces', traceRequest([record, usageRecord({ organization: 'acme' })]));
  const odd = { ...current, 'gen_ai.request.model': 'odd', 'weir.organization': 'acme' };
  const answer = await send('traces', Buffer.alloc(0));
  assert.deepEqual(answer, {});
  await tell([{ attributes: { ...odd, 'gen_ai.request.model': 'gpt-4o' } }]);
  const list = async () => (await api.ask('GET', '/dead-letters', { key })).body.dead_letters;
  const [letter, ...more] = await list();
  assert.equal(more.length, 0);
  assert.match(letter.reason, /odd/);
  assert.equal(letter.content.attributes['gen_ai.request.model'], 'odd');
  const retry = () => api.ask('POST', `/dead-letters/${letter.id}/retry`, { key });
  const again = await retry();
  assert.deepEqual([again.status, again.body.code], [422, 'refused_again']);
  assert.match(again.body.detail, /odd/);
  await pool.query('ALTER TABLE usage DROP CONSTRAINT odd');
  assert.equal((await retry()).status, 204);
  assert.deepEqual(await list(), []);
  assert.equal((await retry()).status, 404);
  assert.equal((await usage()).filter(({ id }) => id === record.id).length, 1);
});
