import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import grpc from '@grpc/grpc-js';
import { pino } from 'pino';
import { migrate } from '../../src/db/migrate.ts';
import { createPool } from '../../src/db/pool.ts';
import { eventually, startCollector } from '../fixtures/collector.ts';
import { startPostgres } from '../fixtures/postgres.ts';
import { traceRequest, usageRecord } from '../fixtures/usage-records.ts';

test('PostgreSQL is killed and comes back: senders that come again lose nothing', async (t) => {
  const postgres = await startPostgres();
  const pool = createPool(postgres.url, { log: pino({ level: 'silent' }) });
  await migrate(pool);
  const database = { pool, url: postgres.url };
  const { export: send, post, rows } = await startCollector(t, { database });
  t.after(async () => {
    await pool.end();
    await postgres.stop();
  });
  const batches = Array.from({ length: 120 }, () => Array.from({ length: 20 }, () => usageRecord()));
  const ids = batches.flat().map(({ id }) => id);
  let acknowledged = 0;
  let retries = 0;

  async function deliver(batch: (typeof batches)[number], overHttp: boolean): Promise<void> {
    const body = traceRequest(batch);
    for (;;) {
      if (overHttp) {
        const response = await post('/v1/traces', body);
        if (response.ok) break;
        assert.equal(response.status, 503);
        assert.ok(Number(response.headers.get('retry-after')) > 0);
      } else {
        const error = await send('traces', body).then(
          () => null,
          (reason: grpc.ServiceError) => reason,
        );
        if (!error) break;
        assert.equal(error.code, grpc.status.UNAVAILABLE);
      }
      retries++;
      await delay(30);
    }
    acknowledged++;
  }

  const queue = batches.entries();
  const senders = [0, 1, 2, 3].map(async () => {
    for (const [index, batch] of queue) await deliver(batch, index % 2 === 0);
  });
  await eventually(async () => acknowledged > 10 || undefined);
  await postgres.kill();
  await eventually(async () => retries > 4 || undefined);
  const whenBack = acknowledged;
  await postgres.restart();
  await Promise.all(senders);

  assert.ok(whenBack < batches.length, 'nothing was left to send when it came back');
  const found = await rows<{ id: string }>('SELECT id FROM usage');
  assert.deepEqual(found.map(({ id }) => id).sort(), ids.sort());
});
