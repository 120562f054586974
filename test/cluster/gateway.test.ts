import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gatewayFile } from '../fixtures/chart.ts';
import { runWeir } from '../fixtures/weir.ts';
import { startProgram, until } from './fixtures/processes.ts';
import { startStage } from './fixtures/stage.ts';

test('the gateway of the chart, and what the doctor says', async (t) => {
  const stage = await startStage(t);
  const { install, cluster } = stage;
  stage.names['weir-gateway.weir.svc'] = ['127.0.0.1'];
  await install.processor();
  const place = (name: string, content: string) => {
    const file = join(install.directory, name);
    writeFileSync(file, content);
    return file;
  };
  const token = place('token-of-gateway', await cluster.token('weir', 'weir-gateway'));
  const bootstrap = readFileSync(gatewayFile, 'utf8')
    .replaceAll('/var/run/secrets/weir.dev/token/token', token)
    .replaceAll('/var/run/secrets/weir.dev/token', install.directory)
    .replaceAll('/etc/weir/tls', install.directory)
    .replaceAll('/var/run/weir', install.directory);
  const envoy = startProgram(
    t,
    process.env.ENVOY_BIN ?? 'envoy',
    [
      '-c',
      place('gateway.json', bootstrap),
      '--service-node',
      'weir/gateway',
      '--disable-hot-restart',
      '--log-level',
      'warn',
    ],
    { log: join(install.directory, 'gateway.log') },
  );
  const ask = (key: string) =>
    fetch('http://weir-gateway.weir.svc:10000/v1/chat/completions', {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Where?' }] }),
    });
  const answer = await until('the gateway answers', async () => {
    const answered = await ask('sk-own');
    if (answered.status !== 200) throw new Error(`${answered.status} ${await answered.text()}`);
    return answered;
  }).catch((error) => {
    throw new Error(envoy.output(), { cause: error });
  });
  assert.match(await answer.text(), /By a lake/);
  const row = await until('the call is in the ledger', async () => (await stage.rows())[0]);
  assert.equal(row.workload, 'test/weir/weir-gateway');
  const refused = await ask('weir_sk_nobody');
  assert.equal(refused.headers.get('x-weir-error'), 'invalid_api_key');

  await t.test('weir doctor finds all well, and what is not', async () => {
    const doctor = () =>
      runWeir(['doctor', '--config', install.file], { WEIR_LISTEN_EGRESS: 'weir-gateway.weir.svc:10000' });
    const well = await doctor();
    assert.equal(well.code, 0, well.output);
    assert.match(well.output, /^webhook: +reached; its certificate is good for \d+ days$/m);
    assert.match(well.output, /^a call: +through the gateway to a processor and back$/m);
    await envoy.end();
    const ill = await doctor();
    assert.equal(ill.code, 1);
    assert.match(ill.output, /^a call: +NOT WELL: /m);
  });

  await t.test('weir doctor --pre', async () => {
    const pre = await runWeir(['doctor', '--pre', '--config', install.file]);
    assert.match(pre.output, /^Kubernetes: +1\.\d+$/m);
    // The injector's own token may not install: it is what this test runs as.
    assert.match(pre.output, /^permissions: +NOT WELL: you may not create secrets/m);
  });
});
