import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { here, until } from './fixtures/processes.ts';
import { releaseBefore } from './fixtures/release.ts';
import { startStage } from './fixtures/stage.ts';

const load = fileURLToPath(new URL('clients/load.ts', import.meta.url));

test('parts of this release and of the one before work together, in any order of an upgrade', async (t) => {
  const before = releaseBefore(t);
  if (before === null) return;
  const fallback = [{ provider: 'groq', model: 'llama-3.3-70b-versatile' }];
  const models = { house: { provider: 'openai', model: 'gpt-4o-mini', fallback } };
  const stage = await startStage(t, { models }, { release: before });
  const { install, pool } = stage;
  // At an address that it knows: attempts of its calls come there.
  const host = stage.addresses[0] ?? '';
  const startProcessor = (release = before) => install.processor({ host, release });
  let [injector, collector, processor] = [stage.injector, stage.collector, await startProcessor()];
  type Pod = Awaited<ReturnType<typeof stage.pod>>;
  const old = await stage.pod('old');
  const pods: Pod[] = [old];

  const rowOf = async (id: string | undefined) =>
    (await pool.query('SELECT * FROM usage WHERE id = $1', [id])).rows[0];

  /** Each form of a call, and one that its caller leaves; all have their rows. */
  async function works({ pod, network, env, envoyOutput }: Pod): Promise<void> {
    await stage.untilRead(network, env);
    const callers = network.start([process.execPath, load, '8'], { env, uid: 0 });
    callers.stdin?.end();
    await once(callers, 'close');
    const { ids, lost }: { ids: string[]; lost: object } = JSON.parse(callers.output());
    assert.deepEqual([ids.length, lost], [8, {}], envoyOutput());
    for (const id of ids) {
      const row = await until('the call is in the ledger', () => rowOf(id));
      assert.deepEqual(
        [row.workload, row.pod, row.outcome, row.input_tokens, row.output_tokens],
        ['test/shop/checkout', pod.metadata.name, 'completed', 12, 5],
      );
    }
    // That it has left is told by Envoy alone.
    const asked = {
      model: 'gpt-4o-mini',
      stream: true,
      messages: [{ role: 'user', content: 'Where? Pause 1000 ms.' }],
    };
    const call = ['https://api.openai.com/v1/chat/completions', '-H', 'content-type: application/json'];
    const key = ['-H', 'authorization: Bearer weir_workload', '-d', JSON.stringify(asked)];
    const leaver = network.start(['curl', '-isSN', ...call, ...key], { env });
    const id = await until('the answer has begun', () => {
      const told = /^x-weir-id: (\S+)[\s\S]*^data:/m.exec(leaver.output());
      return told?.[1];
    });
    leaver.kill('SIGKILL');
    await until('it is settled', async () => (await rowOf(id))?.outcome === 'disconnected');
  }
  const allWork = async () => {
    for (const pod of pods) await works(pod);
  };

  await t.test('the release before', allWork);

  await t.test('new processors, old sidecars', async () => {
    await install.upgrade(here);
    await processor.end();
    processor = await startProcessor(here);
    await allWork();
  });

  await t.test('new sidecars by an old injector', async () => {
    // A new image with the webhook of the day before.
    pods.push(await stage.pod('between', {}, here));
    await allWork();
  });

  await t.test('old processors, new injectors: old sidecars and new ones', async () => {
    await processor.end();
    await injector.end();
    processor = await startProcessor(before);
    injector = await install.injector(here);
    pods.push(await stage.pod('new', {}, here));
    await allWork();
  });

  await t.test('a new collector as well', async () => {
    await collector.end();
    collector = await install.collector(here);
    await allWork();
  });

  await t.test('this release, with sidecars of the one before', async () => {
    await processor.end();
    processor = await startProcessor(here);
    await allWork();
  });
});
