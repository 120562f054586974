import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordUnseen } from '../../src/collector/unseen.ts';
import { startCollector } from '../fixtures/collector.ts';
import { accessLogRequest, traceRequest, usageRecord } from '../fixtures/usage-records.ts';

const query = `SELECT id, provider, server_address, path, outcome, status, error_code, cost_usd, input_tokens FROM usage ORDER BY path`;
const hour = 3_600_000;

test('a call that reached a provider and that no processor looked at is a row, once', async (t) => {
  const { export: send, rows, pool } = await startCollector(t);
  const lines: Record<string, string>[] = [
    { path: '/v1/a', start_time: '2026-11-23T09:00:00.000001Z' },
    { path: '/v1/b', status: '500' },
    { path: '/v1/c', response_flags: 'DC', code_details: 'downstream_remote_disconnect' },
    { path: '/refused-by-envoy', upstream_host: '-', status: '503' },
  ];
  // The sender did not hear that it was taken.
  for (const _ of [1, 2]) await send('logs', accessLogRequest(lines));
  assert.equal(await recordUnseen(pool, Date.now()), 3);
  assert.equal(await recordUnseen(pool, Date.now()), 0);
  const found = await rows<{ path: string; outcome: string }>(query);
  assert.deepEqual(
    found.map(({ path, outcome }) => [path, outcome]),
    [
      ['/v1/a', 'completed'],
      ['/v1/b', 'upstream_error'],
      ['/v1/c', 'disconnected'],
    ],
  );
  assert.partialDeepStrictEqual(found[0], {
    provider: 'openai',
    server_address: 'api.openai.com',
    status: 200,
    error_code: 'unseen',
    cost_usd: null,
    input_tokens: null,
  });
});

test('a call whose processor is gone with its journal is a row after an hour, until its record comes', async (t) => {
  const { export: send, rows, pool } = await startCollector(t);
  const startedAt = Date.now();
  const [lost, kept] = [1, 2].map(() => usageRecord({ startedAt, endedAt: startedAt + 1 }));
  assert(lost && kept);
  const line = ({ id }: { id: string }) => ({
    'weir.exchange.id': id,
    response_flags: 'UC',
    code_details: '-',
  });
  await send('logs', accessLogRequest([line(lost), line(kept)]));
  await send('traces', traceRequest([kept]));
  assert.equal(await recordUnseen(pool, Date.now()), 0);
  assert.equal(await recordUnseen(pool, Date.now() + hour), 1);
  const ids = async () =>
    (await rows<{ id: string; error_code: string | null }>(query)).map((row) => [row.id, row.error_code]);
  const sorted = (list: unknown[][]) => list.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
  assert.deepEqual(
    sorted(await ids()),
    sorted([
      [kept.id, null],
      [lost.id, 'unseen'],
    ]),
  );
  // The machine comes back, and its journal with it.
  const old = { startedAt: startedAt - 2 * hour, endedAt: startedAt - 2 * hour + 1 };
  await send('traces', traceRequest([{ ...lost, ...old }]));
  assert.deepEqual(
    sorted(await ids()),
    sorted([
      [kept.id, null],
      [lost.id, null],
    ]),
  );
  assert.equal(await recordUnseen(pool, Date.now() + 2 * hour), 0);
});
