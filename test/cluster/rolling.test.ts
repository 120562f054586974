import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startStage } from './fixtures/stage.ts';

const load = fileURLToPath(new URL('clients/load.ts', import.meta.url));
const restarts = Number(process.env.WEIR_TEST_RESTARTS ?? 50);

test(`${restarts} restarts of processors under load lose no call`, async (t) => {
  const stage = await startStage(t);
  // Two processors behind one name, each on an address of its own.
  const second = '10.244.200.1';
  execFileSync('ip', ['addr', 'add', `${second}/32`, 'dev', 'lo']);
  const { network, env, envoyOutput } = await stage.pod('app-1', { processors: [second] });
  const hosts = [network.host, second];
  const start = (index: number) =>
    stage.install.processor({ host: hosts[index] ?? '', data: `processor-${index}` });
  const running = [await start(0), await start(1)];
  await stage.untilRead(network, env);

  const callers = network.start([process.execPath, load, '4'], { env, uid: 0 });
  for (let count = 0; count < restarts; count++) {
    const index = count % 2;
    await running[index]?.end('SIGTERM');
    running[index] = await start(index);
  }
  callers.stdin?.end();
  await once(callers, 'exit');
  const told = JSON.parse(callers.output());
  t.diagnostic(`${told.calls} calls`);
  assert.deepEqual({ failed: told.failed, reasons: told.reasons }, { failed: 0, reasons: {} }, envoyOutput());
  assert.ok(told.calls > restarts);
  const rows = await stage.rows();
  t.diagnostic(
    `${rows.length} of them in the ledger by now, from ${join(stage.install.directory, 'processor-*')}`,
  );
});
