import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { proxyDirectory } from '../../src/kubernetes/pod.ts';
import { podFiles } from '../../src/pod/prepare.ts';
import { runWeir } from '../fixtures/weir.ts';
import { until } from './fixtures/processes.ts';
import { startStage } from './fixtures/stage.ts';

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
  const stage = await startStage(t);
  const { outside, install, rows } = stage;
  let processor = await install.processor();
  const { network, env, envoyOutput } = await stage.pod('app-1');
  await stage.untilRead(network, env);
  const curl = (args: string[]) => network.run(['curl', '-sS', '--max-time', '20', ...args], { env });

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

  await t.test('coverage tells what is read, refused and passed', async () => {
    // A client with a trust store of its own, and one that pins; both refuse weir's certificate.
    const own = await curl(['--cacert', outside.caFile, 'https://api.openai.com/v1/models']);
    assert.equal(own.code, 60);
    const ownRoots = { env: { ...env, NODE_EXTRA_CA_CERTS: outside.caFile }, uid: 0 };
    const looksLater = await network.run([...node, 'openai', 'plain'], ownRoots);
    assert.notEqual(looksLater.code, 0, 'Node looks at a certificate after the handshake');
    const pinned = await curl(['--pinnedpubkey', `sha256//${'A'.repeat(43)}=`, 'https://api.anthropic.com/']);
    assert.equal(pinned.code, 90);
    // A provider that weir.yaml does not name passes unread, and does not go unnoticed.
    assert.equal((await curl(['--cacert', outside.caFile, 'https://api.mistral.ai/x'])).code, 0);
    const { code, output } = await runWeir(['admin-key'], { WEIR_POSTGRES_URL: stage.postgres });
    assert.equal(code, 0, output);
    const key = /weir_admin_\S+/.exec(output)?.[0] ?? '';
    const asking = ['coverage', '--json', '--api', 'http://127.0.0.1:8080', '--key', key];
    const [openai, pinning, mistral] = await until('all of them are told', async () => {
      const told: { workload: string; host: string; inspected: number; refused: number; passed: number }[] =
        JSON.parse((await runWeir(asking)).output);
      const of = (host: string) =>
        told.find((each) => each.host === host && each.workload === 'test/shop/checkout');
      const all = [of('api.openai.com'), of('api.anthropic.com'), of('api.mistral.ai')];
      const areTold = all.every((each) => each) && Number(all[0]?.refused) > 1 && Number(all[1]?.refused) > 0;
      return areTold && all;
    });
    assert.ok(openai && openai.inspected > 0 && openai.refused > 1, JSON.stringify(openai));
    assert.ok(pinning && pinning.inspected > 0 && pinning.refused === 1, JSON.stringify(pinning));
    assert.equal(mistral?.passed, 1);
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

  await t.test('after an uninstall the pod works on', async () => {
    for (const each of [processor, stage.injector, stage.collector]) await each.end();
    for (const name of Object.keys(stage.names)) if (name.endsWith('.weir.svc')) delete stage.names[name];
    const call = ['https://api.openai.com/v1/models', '-w', '%{http_code}', '-H'];
    const ask = async (key: string) => (await curl([...call, `authorization: Bearer ${key}`])).stdout;
    await until('nobody is known any more', async () => {
      const asking = ['curl', '-s', '--unix-socket', `${proxyDirectory}/${podFiles.admin}`];
      const { stdout } = await network.run([...asking, 'http://envoy/clusters'], { uid: 16_001 });
      return /^weir-processor::/m.test(stdout) && !/^weir-processor::[\d.]+:9443::/m.test(stdout);
    });
    for (let count = 0; count < 3; count++) {
      assert.match(await ask('sk-own'), /api.openai.com.*200$/);
      assert.match(await ask('weir_workload'), /503$/);
      const other = await curl(['--cacert', outside.caFile, 'https://shop.example.com/x']);
      assert.equal(other.stdout, '{"host":"shop.example.com"}', other.stderr);
    }
  });
});
