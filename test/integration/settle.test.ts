import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { createSettler } from '../../src/collector/settle.ts';
import type { Outcome } from '../../src/usage/record.ts';
import { eventually, startCollector } from '../fixtures/collector.ts';
import { accessLogRequest, traceRequest, usageRecord } from '../fixtures/usage-records.ts';

const verdicts: [flags: string, details: string, outcome: Outcome][] = [
  ['DC', 'downstream_remote_disconnect', 'disconnected'],
  ['DR', 'http2.remote_reset', 'disconnected'],
  ['DC', '-', 'disconnected'],
  ['UPE', 'upstream_reset_after_response_started{protocol_error}', 'upstream_error'],
  ['UC', 'upstream_reset_before_response_started{connection_termination}', 'upstream_error'],
  ['UT', 'response_timeout', 'upstream_error'],
  ['UF,URX', 'via_upstream', 'upstream_error'],
  ['-', 'upstream_per_try_timeout', 'upstream_error'],
  ['DC', 'downstream_local_disconnect(filter_chain_is_being_removed)', 'unsettled'],
  ['OM', 'overload', 'unsettled'],
  ['-', 'via_upstream', 'unsettled'],
];

test('Envoy tells who broke off, whichever comes first', async (t) => {
  const { export: send, rows } = await startCollector(t);
  const cases = [true, false].flatMap((usageFirst) =>
    verdicts.map(([response_flags, code_details, outcome]) => {
      const record = usageRecord({ outcome: 'unsettled' });
      const line = { 'weir.exchange.id': record.id, response_flags, code_details };
      return { usageFirst, record, line, outcome };
    }),
  );
  const usage = (first: boolean) =>
    send(
      'traces',
      traceRequest(cases.filter((each) => each.usageFirst === first).map(({ record }) => record)),
    );
  await usage(true);
  await send('logs', accessLogRequest(cases.map(({ line }) => line)));
  await usage(false);
  const expected = cases.filter(({ outcome }) => outcome !== 'unsettled').length;
  const settled = `SELECT id, outcome FROM usage WHERE outcome <> 'unsettled'`;
  await eventually(async () => (await rows(settled)).length === expected || undefined);
  const outcomes = await rows<{ id: string; outcome: string }>('SELECT id, outcome FROM usage');
  const found = new Map(outcomes.map(({ id, outcome }) => [id, outcome]));
  for (const { record, line, outcome, usageFirst } of cases) {
    assert.equal(found.get(record.id), outcome, `${JSON.stringify(line)}, usage first: ${usageFirst}`);
  }
});

test('a witness changes no outcome that was seen', async (t) => {
  const { export: send, rows } = await startCollector(t);
  const seen = usageRecord({ outcome: 'completed' });
  const open = usageRecord({ outcome: 'unsettled' });
  await send('traces', traceRequest([seen, open]));
  const lines = [seen, open].map(({ id }) => ({ 'weir.exchange.id': id, response_flags: 'DC' }));
  await send('logs', accessLogRequest(lines));
  await eventually(async () => (await rows(`SELECT 1 FROM usage WHERE outcome = 'disconnected'`))[0]);
  assert.deepEqual(await rows('SELECT outcome FROM usage WHERE id = $1', [seen.id]), [
    { outcome: 'completed' },
  ]);
});

test('without a witness an exchange counts as interrupted after a minute, until one comes', async (t) => {
  let now = Date.now();
  const { export: send, rows, pool } = await startCollector(t, { now: () => now });
  const settler = createSettler({ pool, log: pino({ level: 'silent' }), now: () => now });
  const record = usageRecord({ outcome: 'unsettled' });
  const outcome = async () => (await rows<{ outcome: string }>('SELECT outcome FROM usage'))[0]?.outcome;
  await send('traces', traceRequest([record]));
  now += 59_000;
  await settler.sweep();
  assert.equal(await outcome(), 'unsettled');
  now += 1_000;
  await settler.sweep();
  assert.equal(await outcome(), 'interrupted');
  // Sent again, it does not open again.
  await send('traces', traceRequest([record]));
  assert.equal(await outcome(), 'interrupted');
  await send('logs', accessLogRequest([{ 'weir.exchange.id': record.id, response_flags: 'UC' }]));
  await eventually(async () => (await outcome()) === 'upstream_error' || undefined);
});

test('the sweep settles what was missed, by several collectors at once', async (t) => {
  const { export: send, rows, pool } = await startCollector(t);
  const log = pino({ level: 'silent' });
  const records = Array.from({ length: 200 }, () => usageRecord({ outcome: 'unsettled' }));
  await send('traces', traceRequest(records));
  await pool.query(
    `INSERT INTO witness (exchange_id, started_at, response_flags) SELECT id, now(), 'DC' FROM usage`,
  );
  await Promise.all([1, 2, 3].map(() => createSettler({ pool, log, now: Date.now }).sweep()));
  assert.deepEqual(await rows(`SELECT count(*) FROM usage WHERE outcome = 'disconnected'`), [{ count: 200 }]);
});

test('calls that no processor saw are counted and kept; witnesses that have served are forgotten', async (t) => {
  let now = Date.now();
  const { export: send, rows, pool, collector } = await startCollector(t, { now: () => now });
  const { id } = usageRecord();
  await send(
    'logs',
    accessLogRequest([
      { path: '/unseen', 'weir.exchange.id': '' },
      { path: '/unseen' },
      { path: '/refused-by-envoy', upstream_host: '-', status: '503' },
      { path: '/socket', upgrade: 'websocket' },
      { path: '/served', 'weir.exchange.id': id, response_flags: 'DC', status: '0' },
      { path: '/no-uuid', 'weir.exchange.id': 'x' },
    ]),
  );
  assert.equal(collector.counts.passedUnseen, 2);
  assert.deepEqual(
    await rows(
      `SELECT started_at, status, upgrade, upstream_host, bytes_sent FROM witness WHERE path = '/served'`,
    ),
    [
      {
        started_at: new Date('2026-11-23T09:00:00.123Z'),
        status: null,
        upgrade: null,
        upstream_host: '127.0.0.1:443',
        bytes_sent: 20,
      },
    ],
  );
  now += 24 * 3_600_000;
  await createSettler({ pool, log: pino({ level: 'silent' }), now: () => now }).sweep();
  const left = await rows<{ path: string }>('SELECT path FROM witness ORDER BY path');
  assert.deepEqual(
    left.map(({ path }) => path),
    ['/refused-by-envoy', '/socket', '/unseen', '/unseen'],
  );
  assert.equal((await rows('SELECT 1 FROM dead_letters')).length, 1);
});
