import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { testDatabase } from '../fixtures/postgres.ts';
import { startCluster } from './fixtures/cluster.ts';
import { prepareInstall } from './fixtures/install.ts';
import { llmHosts, otherHosts, startOutside } from './fixtures/outside.ts';
import { variablesOf } from './fixtures/pod-namespace.ts';
import { until } from './fixtures/processes.ts';
import { createPod, plainPod, runPod } from './fixtures/sidecar.ts';

test('a pod is intercepted', async (t) => {
  const outside = await startOutside(t);
  const { url: postgres, pool } = await testDatabase(t);
  const cluster = await startCluster(t);
  const providers = Object.fromEntries(
    ['openai', 'anthropic', 'gemini', 'groq'].map((name) => [
      name,
      { ca_file: outside.caFile, api_key: `sk-house-${name}` },
    ]),
  );
  const install = await prepareInstall(t, cluster, { postgres, config: { providers } });
  await install.injector();
  await install.collector();
  await install.processor();
  await cluster.ask('POST', '/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'shop', labels: { 'weir.dev/inject': 'enabled' } },
  });
  await cluster.ask('POST', '/api/v1/namespaces/shop/serviceaccounts', {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'checkout' },
  });
  const pod = await createPod(
    cluster,
    'shop',
    plainPod('app-1', {
      spec: { serviceAccountName: 'checkout', containers: [{ name: 'app', image: 'example.invalid/app:1' }] },
    }),
  );
  const directory = mkdtempSync(join(tmpdir(), 'weir-pod-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const { network, envoyOutput } = await runPod(t, cluster, {
    pod,
    namespace: 'shop',
    directory,
    hosts: {
      [outside.address]: [...llmHosts, ...otherHosts],
      '10.244.1.1': ['weir-injector.weir.svc', 'weir-processor.weir.svc', 'weir-collector.weir.svc'],
    },
  });
  const env = variablesOf(pod, 'app');
  const body = JSON.stringify({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Where?' }] });
  const answer = await network.run(
    [
      'curl',
      '-sS',
      '-i',
      'https://api.openai.com/v1/chat/completions',
      '-H',
      'content-type: application/json',
      '-H',
      'authorization: Bearer sk-own',
      '-d',
      body,
    ],
    { env },
  );
  console.log(answer, envoyOutput());
  console.log((await network.run(['curl','-s','--unix-socket','/etc/weir/proxy/admin.sock','http://x/stats?filter=(weir-xds|weir-processor|lds|cds)'],{init:true})).stdout.split('\n').filter((l)=>!/: 0$|No recorded/.test(l)).join('\n'));
  console.log(readFileSync(join(install.directory,'injector.log'),'utf8'));
  assert.equal(answer.code, 0);
  const row = await until('usage is there', async () => (await pool.query('SELECT * FROM usage')).rows[0]);
  console.log(row);
});
