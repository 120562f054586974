import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import grpc from '@grpc/grpc-js';
import type { Outcome } from '../../src/usage/record.ts';
import { toAttributes } from '../../src/usage/span.ts';
import { eventually, otlpPaths, startCollector } from '../fixtures/collector.ts';
import { traceRequest, usageRecord } from '../fixtures/usage-records.ts';

const waitingForLock = `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`;

test('a record is kept as it was sent, and once, however often it comes', async (t) => {
  const { export: send, post, rows } = await startCollector(t);
  const record = usageRecord({
    user: 'quote " back\\slash, {comma} \u{1f600}',
    tags: { 'a "b"': 'c\\d', empty: '' },
    cacheKey: '',
    costUsd: '0.00000012345',
    startedAt: 1_790_000_000_000.123,
    endedAt: 1_790_000_000_812.456,
  });
  assert.deepEqual(await send('traces', traceRequest([record])), {});
  const before = await rows('SELECT *, started_at::text AS exact FROM usage');
  assert.equal(before.length, 1);
  const [row] = before;
  assert.partialDeepStrictEqual(row, {
    id: record.id,
    trace_id: record.traceId,
    end_user: record.user,
    tags: record.tags,
    cache_key: '',
    cost_usd: '0.00000012345',
    saved_usd: null,
    exact: '2026-09-21 13:33:20.000123+00'.replace(
      '2026-09-21 13:33:20',
      new Date(1_790_000_000_000).toISOString().slice(0, 19).replace('T', ' '),
    ),
    duration_ms: 812.333,
    input_tokens: 1_000,
    reasoning_tokens: null,
    stream: true,
  });
  await send('traces', traceRequest([record, record]));
  await Promise.all([1, 2, 3].map(() => send('traces', traceRequest([record]))));
  assert.equal((await post('/v1/traces', traceRequest([record]))).status, 200);
  assert.deepEqual(await rows('SELECT *, started_at::text AS exact FROM usage'), before);
});

test('what was concluded from a journal gives way to how the call went, in any order', async (t) => {
  const { export: send, rows } = await startCollector(t);
  const cases: [first: Outcome, second: Outcome, kept: Outcome][] = [
    ['interrupted', 'completed', 'completed'],
    ['completed', 'interrupted', 'completed'],
    ['interrupted', 'upstream_error', 'upstream_error'],
    ['completed', 'upstream_error', 'completed'],
    ['disconnected', 'interrupted', 'disconnected'],
  ];
  for (const together of [true, false]) {
    for (const [first, second, kept] of cases) {
      const record = usageRecord({ outcome: first });
      const other = { ...record, outcome: second, model: 'of the second' };
      if (together) await send('traces', traceRequest([record, other]));
      else {
        await send('traces', traceRequest([record]));
        await send('traces', traceRequest([other]));
      }
      const [row] = await rows<{ outcome: string; model: string }>(
        'SELECT outcome, model FROM usage WHERE id = $1',
        [record.id],
      );
      assert.equal(row?.outcome, kept, `${first}, then ${second}`);
      assert.equal(row?.model === 'of the second', first !== kept);
    }
  }
});

test('the longest names that are taken, in any script, are no reason to refuse a call', async (t) => {
  const { export: send, rows } = await startCollector(t);
  const name = () =>
    String.fromCodePoint(...Array.from({ length: 512 }, () => 0x4e00 + Math.floor(Math.random() * 20_000)));
  const names = () => ({
    model: name(),
    requestedModel: name(),
    user: name(),
    provider: name(),
    workload: name(),
  });
  const record = usageRecord({ ...names(), tags: {} });
  // As JSON, the most that the index takes of them, and one byte more.
  const tagged = [300, 301].map((length) => {
    const team = randomBytes(length)
      .toString('base64')
      .slice(0, length - '{"team": ""}'.length);
    return usageRecord({ ...names(), tags: { team } });
  });
  assert.deepEqual(await send('traces', traceRequest([record, ...tagged])), {});
  const tags = await rows(
    'SELECT octet_length(tags::text) AS length, short_tags IS NULL AS long FROM usage ORDER BY 1',
  );
  assert.deepEqual(tags, [
    { length: 2, long: false },
    { length: 300, long: false },
    { length: 301, long: true },
  ]);
});

test('a poisoned record costs itself only, and is kept with the reason', async (t) => {
  const { export: send, post, rows } = await startCollector(t);
  const good = Array.from({ length: 50 }, () => usageRecord());
  const bad = [
    usageRecord({ id: 'no-uuid' }),
    usageRecord({ costUsd: 'NaN' }),
    usageRecord({ costUsd: 'ten dollars' }),
    usageRecord({ status: 1e12 }),
    usageRecord({ firstChunkMs: Number.NaN }),
    usageRecord({ traceId: '00000000000000000000000000000000' }),
    usageRecord({ spanId: '' }),
    usageRecord({ startedAt: 0 }),
    usageRecord({ endedAt: 0 }),
  ];
  const nul = usageRecord({ user: 'a\0b', tags: { 'k\0': 'v\0' } });
  const body = traceRequest([...good.slice(0, 20), ...bad, nul, ...good.slice(20)]);
  const answer = await send('traces', body);
  assert.equal(answer.partialSuccess.rejectedSpans, String(bad.length));
  assert.match(answer.partialSuccess.errorMessage, /./);
  const ids = await rows<{ id: string }>('SELECT id FROM usage');
  assert.deepEqual(new Set(ids.map(({ id }) => id)), new Set([...good, nul].map(({ id }) => id)));
  const [sanitized] = await rows('SELECT end_user, tags FROM usage WHERE id = $1', [nul.id]);
  assert.deepEqual(sanitized, { end_user: 'a\uFFFDb', tags: { 'k\uFFFD': 'v\uFFFD' } });

  const again = await post('/v1/traces', body);
  assert.equal(again.status, 200);
  const letters = await rows<{ reason: string; span: { attributes: Record<string, unknown> } }>(
    'SELECT reason, span FROM dead_letters',
  );
  assert.equal(letters.length, bad.length);
  assert.deepEqual(
    new Set(letters.map(({ span }) => span.attributes['weir.exchange.id'])),
    new Set(bad.map(({ id }) => id)),
  );
  assert.ok(letters.some(({ reason }) => reason.includes('uuid')));
});

test('what is not a usage record is taken and passed over', async (t) => {
  const { export: send, rows, collector } = await startCollector(t);
  const foreign = JSON.stringify({
    resourceSpans: [
      {
        resource: {},
        scopeSpans: [
          {
            scope: {},
            spans: [
              {
                traceId: 'ab'.repeat(16),
                spanId: 'cd'.repeat(8),
                kind: 3,
                attributes: [{ key: 'list', value: { arrayValue: {} } }],
              },
            ],
          },
        ],
      },
    ],
  });
  const { post } = await startCollector(t);
  assert.equal((await post('/v1/traces', foreign, { 'content-type': 'application/json' })).status, 200);
  assert.deepEqual(await send('traces', Buffer.alloc(0)), {});
  assert.deepEqual(await rows('SELECT 1 FROM usage UNION ALL SELECT 1 FROM dead_letters'), []);
  assert.equal(collector.counts.refused, 0);
});

test('HTTP refuses what it cannot read, in the form of the request', async (t) => {
  const { post, httpUrl, rows } = await startCollector(t);
  const json = { 'content-type': 'application/json; charset=utf-8' };
  const body = traceRequest([usageRecord()]);
  const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
  const cases: [name: string, status: number, response: Promise<Response>][] = [
    ['gzip', 200, post('/v1/traces', gzipSync(body), { 'content-encoding': 'gzip' })],
    ['broken JSON', 400, post('/v1/traces', '{"resourceSpans":[', json)],
    [
      'wrong JSON',
      400,
      post('/v1/traces', '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz"}]}]}]}', json),
    ],
    ['deep JSON', 400, post('/v1/traces', '['.repeat(200_000), json)],
    ['broken protobuf', 400, post('/v1/traces', Buffer.from([0x0a, 0xff, 0x01]))],
    ['broken gzip', 400, post('/v1/traces', body, { 'content-encoding': 'gzip' })],
    ['a bomb', 413, post('/v1/traces', bomb, { 'content-encoding': 'gzip' })],
    ['a large body', 413, post('/v1/traces', Buffer.alloc(17 * 1024 * 1024))],
    ['brotli', 415, post('/v1/traces', body, { 'content-encoding': 'br' })],
    ['text', 415, post('/v1/traces', body, { 'content-type': 'text/plain' })],
    ['metrics', 404, post('/v1/metrics', body)],
    ['GET', 405, fetch(`${httpUrl}/v1/traces`)],
  ];
  for (const [name, status, pending] of cases) {
    const response = await pending;
    assert.equal(response.status, status, name);
    const text = await response.text();
    if (response.headers.get('content-type') === 'application/json') {
      if (status !== 200) assert.ok(JSON.parse(text).message, name);
    } else assert.equal(response.headers.get('content-type'), 'application/x-protobuf', name);
  }
  assert.equal((await rows('SELECT 1 FROM usage')).length, 1);
});

test('gRPC refuses a gzip bomb and what is not OTLP', async (t) => {
  const { grpcUrl, export: send } = await startCollector(t);
  const gzip = 2;
  const client = new grpc.Client(grpcUrl.replace('http://', ''), grpc.credentials.createInsecure(), {
    'grpc.default_compression_algorithm': gzip,
    'grpc.max_send_message_length': -1,
  });
  t.after(() => client.close());
  const same = (bytes: Buffer) => bytes;
  const call = (body: Buffer) =>
    new Promise<number>((resolve) => {
      client.makeUnaryRequest(
        otlpPaths.traces,
        same,
        same,
        body,
        { deadline: Date.now() + 20_000 },
        (error) => resolve(error?.code ?? 0),
      );
    });
  assert.equal(await call(Buffer.alloc(64 * 1024 * 1024)), grpc.status.RESOURCE_EXHAUSTED);
  assert.equal(await call(traceRequest([usageRecord()])), grpc.status.OK);
  await assert.rejects(send('traces', Buffer.from([0x0a, 0xff, 0x01])), {
    code: grpc.status.INVALID_ARGUMENT,
  });
});

test('when PostgreSQL does not keep up, senders are told to come again before memory grows', async (t) => {
  const { lockUsage, export: send, post, rows } = await startCollector(t);
  const lock = await lockUsage();
  const filler = 'x'.repeat(12 * 1024 * 1024);
  const bodies = Array.from({ length: 8 }, () => traceRequest([usageRecord()], { filler }));
  const refused: grpc.ServiceError[] = [];
  const sent = bodies.map((body) =>
    send('traces', body).catch((error: grpc.ServiceError) => void refused.push(error)),
  );
  await eventually(async () => refused.length >= 4 || undefined);
  const web = await post('/v1/traces', traceRequest([usageRecord()], { filler }));
  assert.equal(web.status, 429);
  assert.ok(Number(web.headers.get('retry-after')) > 0);
  for (const { code, metadata } of refused) {
    assert.equal(code, grpc.status.UNAVAILABLE);
    assert.match(String(metadata.get('grpc-status-details-bin')[0]), /RetryInfo/);
  }
  await lock.release();
  await Promise.all(sent);
  assert.equal((await rows('SELECT 1 FROM usage')).length, bodies.length - refused.length);
  // There is room again.
  await send('traces', traceRequest([usageRecord()], { filler }));
});

test('a stop answers what was taken', async (t) => {
  const { collector, lockUsage, export: send, rows } = await startCollector(t);
  const lock = await lockUsage();
  const sent = Promise.all([1, 2, 3].map(() => send('traces', traceRequest([usageRecord()]))));
  await eventually(async () => (await rows(waitingForLock)).length > 0 || undefined);
  const stopped = collector.stop(10_000);
  await lock.release();
  await Promise.all([sent, stopped]);
  assert.equal((await rows('SELECT 1 FROM usage')).length, 3);
});

test('the exporters of the OpenTelemetry SDK can send to it', async (t) => {
  const { grpcUrl, httpUrl, rows } = await startCollector(t);
  const sender = new URL('../fixtures/otel-sender.ts', import.meta.url).pathname;
  const ways = [
    ['grpc', 'none'],
    ['grpc', 'gzip'],
    ['http/protobuf', 'none'],
    ['http/protobuf', 'gzip'],
    ['http/json', 'gzip'],
  ];
  for (const [protocol, compression] of ways) {
    const record = usageRecord();
    const env = {
      ...process.env,
      OTEL_TRACES_EXPORTER: 'otlp',
      OTEL_METRICS_EXPORTER: 'none',
      OTEL_LOGS_EXPORTER: 'none',
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_EXPORTER_OTLP_COMPRESSION: compression,
      OTEL_EXPORTER_OTLP_ENDPOINT: protocol === 'grpc' ? grpcUrl : httpUrl,
    };
    const args = [sender, JSON.stringify(toAttributes(record))];
    const { stderr } = await promisify(execFile)(process.execPath, args, { env, timeout: 30_000 });
    const found = await rows<{ model: string }>('SELECT model FROM usage WHERE id = $1', [record.id]);
    assert.deepEqual(found, [{ model: record.model }], `${protocol}, ${compression}: ${stderr}`);
  }
});
