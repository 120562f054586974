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

  // The worst case: it is told to end while every Envoy still counts on it.
  for (let count = 0; count < restarts - 2; count++) {
    const index = count % 2;
    const t0 = Date.now();
    await running[index]?.end('SIGTERM');
    const t1 = Date.now();
    running[index] = await start(index);
    const t2 = Date.now();
    await inUse(index);
    const t3 = Date.now();
    t.diagnostic([t1 - t0, t2 - t1, t3 - t2].join(' '));
  }

  // As a Deployment does it: others are ready before it leaves, and it ends when Envoys have noticed.
  running.push(...(await Promise.all([start(2), start(3)])));
  service(2, 3);
  const t4 = Date.now();
  await Promise.all([inUse(2), inUse(3)]);
  t.diagnostic(`new ones seen after ${Date.now() - t4}`);
  await until('the old ones are out', async () => !(await seen(0)) && !(await seen(1)));
  t.diagnostic(`old ones gone after ${Date.now() - t4}`);
  await Promise.all(running.slice(0, 2).map((each) => each.end('SIGTERM')));
  callers.stdin?.end();
  await once(callers, 'close');
  const told: { ids: string[]; lost: Record<string, number> } = JSON.parse(callers.output());
  t.diagnostic(`${told.ids.length} calls`);
  const noticed = 'SELECT exchange_id, status, response_flags, code_details, upstream_cluster FROM witness';
  const witnesses = (await stage.pool.query(noticed)).rows;
  assert.deepEqual(told.lost, {}, `${JSON.stringify(witnesses)}\n${envoyOutput()}`);
  assert.ok(told.ids.length > restarts);
  // Each has its row, and there is no other.
  const rows = async () => {
    const calls = `SELECT id, outcome FROM usage WHERE dialect IS NOT NULL AND purpose IS NULL ORDER BY id`;
    return (await stage.pool.query<{ id: string; outcome: string }>(calls)).rows;
  };
  const all = await until('all are in the ledger', async () => {
    const found = await rows();
    return found.length >= told.ids.length && found;
  }).catch(rows);
  assert.deepEqual(
    all.map(({ id }) => id),
    told.ids.sort(),
  );
  assert.deepEqual([...new Set(all.map(({ outcome }) => outcome))], ['completed']);
});
