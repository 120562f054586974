import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { proxyDirectory } from '../../src/kubernetes/pod.ts';
import { podFiles } from '../../src/pod/prepare.ts';
import { until } from './fixtures/processes.ts';
import { startStage } from './fixtures/stage.ts';

const admin = `${proxyDirectory}/${podFiles.admin}`;
const load = fileURLToPath(new URL('clients/load.ts', import.meta.url));
const asked = process.env.WEIR_TEST_RESTARTS;
const restarts = Number(asked ?? 50);
// Each takes some seconds.
const skip = asked === undefined && 'WEIR_TEST_RESTARTS says how many';

test(`${restarts} restarts of processors under load lose no call`, { skip }, async (t) => {
  const stage = await startStage(t);
  // Two processors behind one name, each on an address of its own.
  stage.names['weir-processor.weir.svc'] = stage.addresses;
  const { network, env, envoyOutput } = await stage.pod('app-1');
  const start = (index: number) =>
    stage.install.processor({ host: stage.addresses[index] ?? '', data: `processor-${index}` });
  const running = [await start(0), await start(1)];
  await stage.untilRead(network, env);

  const bothSeen = () =>
    until('Envoy sees both', async () => {
      const asking = ['curl', '-s', '--unix-socket', admin, 'http://envoy/clusters'];
      const { stdout } = await network.run(asking, { uid: 16_001 });
      return stdout.match(/^weir-processor::.*::health_flags::healthy$/gm)?.length === 2;
    });
  await bothSeen();
  const callers = network.start([process.execPath, load, '4'], { env, uid: 0 });
  for (let count = 0; count < restarts; count++) {
    const index = count % 2;
    await running[index]?.end('SIGTERM');
    running[index] = await start(index);
    // A Deployment stops no pod before another has been ready, and its own has left for ten seconds.
    await bothSeen();
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
