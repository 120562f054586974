import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { testDatabase } from '../fixtures/postgres.ts';
import { startCluster } from './fixtures/cluster.ts';
import { prepareInstall } from './fixtures/install.ts';
import { llmHosts, otherHosts, startOutside } from './fixtures/outside.ts';
import { variablesOf } from './fixtures/pod-namespace.ts';
import { until } from './fixtures/processes.ts';
import { createNamespace, createPod, plainPod, runPod, serviceNamesAt } from './fixtures/sidecar.ts';

const clients = fileURLToPath(new URL('clients/', import.meta.url));
const node = [process.execPath, join(clients, 'node.ts')];
const python = [process.env.WEIR_TEST_PYTHON ?? 'python3', join(clients, 'client.py')];
const sdks: { name: string; provider: string; command: string[] }[] = [
  { name: 'Node openai', provider: 'openai', command: [...node, 'openai'] },
  { name: 'Node anthropic', provider: 'anthropic', command: [...node, 'anthropic'] },
  { name: 'Node google-genai', provider: 'gemini', command: [...node, 'google'] },
  { name: 'Python openai', provider: 'openai', command: [...python, 'openai'] },
  { name: 'Python anthropic', provider: 'anthropic', command: [...python, 'anthropic'] },
  { name: 'Python google-genai', provider: 'gemini', command: [...python, 'google'] },
  { name: 'Go openai', provider: 'openai', command: [process.env.WEIR_TEST_GO ?? ''] },
  {
    name: 'Java openai',
    provider: 'openai',
    command: ['java', '-XX:TieredStopAtLevel=1', '-cp', process.env.WEIR_TEST_JAVA ?? '', 'Client'],
  },
];

test('a pod whose application knows nothing of weir', async (t) => {
  const outside = await startOutside(t);
  const { url: postgres, pool } = await testDatabase(t);
  const cluster = await startCluster(t);
  const names = ['openai', 'anthropic', 'gemini', 'groq'];
  const providers = Object.fromEntries(
    names.map((name) => [name, { ca_file: outside.caFile, api_key: `sk-house-${name}` }]),
  );
  const organizations = [{ id: 'store', bindings: [{ namespace: 'shop' }] }];
  const install = await prepareInstall(t, cluster, {
    postgres,
    config: { providers, organizations, defaults: { cache: { mode: 'off' } } },
  });
  await install.injector();
  await install.collector();
  let processor = await install.processor();
  await createNamespace(cluster, 'shop', { 'weir.dev/inject': 'enabled' }, ['checkout']);
  const start = async (name: string, options: Parameters<typeof plainPod>[1] = {}) => {
    const spec = { serviceAccountName: 'checkout', ...options.spec };
    const pod = await createPod(cluster, 'shop', plainPod(name, { ...options, spec }));
    const directory = mkdtempSync(join(tmpdir(), 'weir-pod-'));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const hosts = (host: string) => ({
      [outside.address]: [...llmHosts, ...otherHosts],
      [outside.address6]: ['six.example.com'],
      [host]: serviceNamesAt,
    });
    return {
      pod,
      env: variablesOf(pod, 'app'),
      ...(await runPod(t, cluster, { pod, namespace: 'shop', directory, hosts })),
    };
  };
  const { network, env, envoyOutput } = await start('app-1');
  const rows = async () => (await pool.query('SELECT * FROM usage ORDER BY started_at')).rows;
  const curl = (args: string[], variables = env, from = network) =>
    from.run(['curl', '-sS', '--max-time', '20', ...args], { env: variables });

  for (const { name, provider, command } of sdks) {
    for (const form of ['plain', 'streamed']) {
      await t.test(`${name}, ${form}`, async () => {
        const before = (await rows()).length;
        const got = outside.got.length;
        // As root without any right: the SDKs lie in its cache.
        const as = { env, uid: 0, timeoutMs: 120_000 };
        const { code, stdout, stderr } = await network.run([...command, form], as);
        assert.deepEqual({ code, stdout }, { code: 0, stdout: 'By a lake.' }, `${stderr}\n${envoyOutput()}`);
        const row = await until('the call is in the ledger', async () => (await rows())[before]);
        assert.deepEqual(
          [row.provider, row.stream, row.workload, row.pod, row.organization],
          [provider, form === 'streamed', 'test/shop/checkout', 'app-1', 'store'],
        );
        assert.deepEqual([row.input_tokens, row.output_tokens, row.outcome], [12, 5, 'completed']);
        // The application has no key: the provider's went out, and nothing of weir's.
        const sent = JSON.stringify(outside.got[got]?.headers);
        assert.match(sent, new RegExp(`sk-house-${provider}`));
        assert.doesNotMatch(sent, /weir/);
      });
    }
  }

  await t.test('curl, with a key of its own', async () => {
    const before = (await rows()).length;
    const body = JSON.stringify({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Where?' }] });
    const { stdout } = await curl([
      ...['https://api.openai.com/v1/chat/completions', '-H', 'content-type: application/json'],
      ...['-H', 'authorization: Bearer sk-own', '-d', body],
    ]);
    assert.match(stdout, /By a lake/);
    await until('the call is in the ledger', async () => (await rows())[before]);
    assert.equal(outside.got.at(-1)?.headers.authorization, 'Bearer sk-own');
  });

  await t.test('what is no LLM call passes byte for byte, with its own certificate', async () => {
    const own = ['--cacert', outside.caFile];
    const { stdout, stderr } = await curl([...own, 'https://shop.example.com/x']);
    assert.equal(stdout, '{"host":"shop.example.com"}', stderr);
    // weir's authority does not vouch for it, so that nobody can have been in between.
    assert.equal((await curl(['https://shop.example.com/x'])).code, 60);
    const six = await curl([
      '-6',
      ...own,
      '--resolve',
      `shop.example.com:443:[${outside.address6}]`,
      'https://shop.example.com/six',
    ]);
    assert.equal(six.stdout, '{"host":"shop.example.com"}', six.stderr);
  });

  await t.test('over IPv6 as well', async () => {
    const { stdout, stderr } = await curl([
      ...[
        '-6',
        '--resolve',
        `api.openai.com:443:[${outside.address6}]`,
        'https://api.openai.com/v1/chat/completions',
      ],
      ...['-H', 'content-type: application/json', '-d', '{"model":"gpt-4o-mini","messages":[]}'],
      ...['-H', 'authorization: Bearer sk-own'],
    ]);
    assert.match(stdout, /By a lake/, stderr);
  });

  await t.test('another config is in force within seconds, without a restart', async () => {
    const groq = ['--cacert', outside.caFile, 'https://api.groq.com/x'];
    assert.equal((await curl(groq)).code, 60, 'it is read, so that the certificate is weir’s');
    const { config } = install;
    install.write({ ...config, kubernetes: { ...Object(config.kubernetes), providers: ['openai'] } });
    await until('the host passes unread', async () => (await curl(groq)).code === 0);
    install.write(config);
    await until('the host is read again', async () => (await curl(groq)).code === 60);
  });

  await t.test('an upgraded connection passes, with the key put in', async () => {
    const { stdout } = await network.run([...node, 'websocket'], { env, uid: 0 });
    assert.equal(stdout, 'echo');
    assert.equal(outside.got.at(-1)?.headers.authorization, 'Bearer sk-house-openai');
  });

  await t.test('while no processor answers, own keys go on and those that weir puts in do not', async () => {
    await processor.end('SIGKILL');
    const url = 'https://api.openai.com/v1/models';
    const open = await until('Envoy has noticed', async () => {
      const answered = await curl([url, '-H', 'authorization: Bearer sk-own', '-w', '%{http_code}']);
      return answered.stdout.endsWith('200') && answered;
    });
    assert.match(open.stdout, /api.openai.com/);
    const count = outside.got.length;
    const closed = await curl([url, '-H', 'authorization: Bearer weir_workload', '-w', '%{http_code}']);
    assert.match(closed.stdout, /503$/);
    assert.equal(outside.got.length, count, 'nothing went out');
    processor = await install.processor();
    await until('weir looks again', async () => {
      const { stdout } = await curl([url, '-H', 'authorization: Bearer weir_workload', '-w', '%{http_code}']);
      return stdout.endsWith('200');
    });
  });
});
