import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { proxyDirectory } from '../../src/kubernetes/pod.ts';
import { podFiles } from '../../src/pod/prepare.ts';
import { until } from './fixtures/processes.ts';
import { startStage } from './fixtures/stage.ts';

const admin = `${proxyDirectory}/${podFiles.admin}`;
const load = fileURLToPath(new URL('clients/load.ts', import.meta.url));
const restarts = Number(process.env.WEIR_TEST_RESTARTS ?? 50);

test(`${restarts} restarts of processors under load lose no call`, async (t) => {
  const stage = await startStage(t, {
    // Its calls are made in attempts, each of which comes to the processor that has the call.
    models: {
      house: {
        provider: 'openai',
        model: 'gpt-4o-mini',
        fallback: [{ provider: 'groq', model: 'llama-3.3-70b-versatile' }],
      },
    },
  });
  // Two processors behind one name, each on an address of its own.
  const service = (...at: number[]) => {
    stage.names['weir-processor.weir.svc'] = at.map((index) => stage.addresses[index] ?? '');
  };
  service(0, 1);
  const { network, env, envoyOutput } = await stage.pod('app-1');
  const start = (index: number) =>
    stage.install.processor({ host: stage.addresses[index] ?? '', data: `processor-${index}` });
  const running = [await start(0), await start(1)];
  await stage.untilRead(network, env);

  /** What Envoy says of a processor; undefined: it knows of none there. */
  const seen = async (index: number) => {
    const asking = ['curl', '-s', '--unix-socket', admin, 'http://envoy/clusters'];
    const { stdout } = await network.run(asking, { uid: 16_001 });
    const lines = stdout.split('\n').map((line) => line.split('::'));
    const own = lines.filter(
      ([name, address]) => `${name} ${address}` === `weir-processor ${stage.addresses[index]}:9443`,
    );
    return own.length === 0 ? undefined : Object.fromEntries(own.map(([, , what, value]) => [what, value]));
  };
  /** Envoy counts on a processor, and has asked it since. */
  const inUse = async (index: number) => {
    const before = Number((await seen(index))?.rq_total ?? 0);
    await until(`Envoy asks processor ${index}`, async () => {
      const now = await seen(index);
      return now?.health_flags === 'healthy' && Number(now.rq_total) > before;
    });
  };
  const callers = network.start([process.execPath, load, '8'], { env, uid: 0 });
  await Promise.all([inUse(0), inUse(1)]);

  // The worst case: it is told to end while Envoy counts on it. The next waits until Envoy has it back.
  for (let count = 0; count < restarts - 2; count++) {
    const index = count % 2;
    await running[index]?.end('SIGTERM');
    running[index] = await start(index);
    await inUse(index);
  }

  // As a Deployment does it: others are in use before it leaves, and it ends when Envoy has noticed.
  running.push(...(await Promise.all([start(2), start(3)])));
  service(2, 3);
  await Promise.all([inUse(2), inUse(3)]);
  await until('the old ones are out', async () => !(await seen(0)) && !(await seen(1)));
  await Promise.all(running.slice(0, 2).map((each) => each.end('SIGTERM')));

  callers.stdin?.end();
  await once(callers, 'close');
  const told: { ids: string[]; lost: Record<string, number> } = JSON.parse(callers.output());
  const refused =
    'SELECT status, response_flags, code_details, upstream_cluster FROM witness WHERE status >= 500';
  const why = async () => JSON.stringify((await stage.pool.query(refused)).rows);
  assert.deepEqual(told.lost, {}, `${await why()}\n${envoyOutput()}`);
  assert.ok(told.ids.length > restarts);
  t.diagnostic(`${told.ids.length} calls`);

  // Each has its row, and there is no other.
  const calls = 'SELECT id, outcome FROM usage WHERE dialect IS NOT NULL AND purpose IS NULL ORDER BY id';
  const rows = async () => (await stage.pool.query<{ id: string; outcome: string }>(calls)).rows;
  await until('all are in the ledger', async () => (await rows()).length >= told.ids.length).catch(() => {});
  const expected = told.ids.toSorted().map((id) => ({ id, outcome: 'completed' }));
  assert.deepEqual(await rows(), expected);
});
