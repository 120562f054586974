// `npm run test:cluster`: weir against a real Kubernetes API, and in network namespaces. Takes root on Linux.
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findEnvoy } from '../../src/local/envoy-binary.mjs';
import { startPostgres } from '../fixtures/postgres.ts';
import { pythonWithSdks } from '../fixtures/python.ts';
import { buildClients } from './clients/build.ts';
import { buildTools } from './tools/build.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

const needed = ['go', 'ip', 'iptables-nft', 'iptables-legacy', 'setpriv', 'openssl', 'curl', 'javac', 'mvn'];
const missing = needed.filter((program) => spawnSync('which', [program]).status !== 0);
if (process.platform !== 'linux' || process.getuid?.() !== 0 || missing.length > 0) {
  const why = missing.length > 0 ? `${missing.join(', ')} missing` : 'they take root on Linux';
  process.stderr.write(`weir: the tests with Kubernetes are skipped: ${why}\n`);
  process.exit(process.env.CI ? 1 : 0);
}

const namespaces = spawnSync('unshare', ['--net', '--mount', 'true']);
if (namespaces.status !== 0) {
  const why = `this machine lets nobody make network namespaces: ${namespaces.stderr.toString().trim()}`;
  process.stderr.write(`weir: the tests with Kubernetes are skipped: ${why}\n`);
  process.exit(0);
}

// The tests have a network of their own, from which nothing can be fetched.
const tools = await buildTools();
const [python, clients] = [await pythonWithSdks(), await buildClients()];
const postgres = await startPostgres();
const words = process.argv.slice(2);
const files = words.filter((word) => !word.startsWith('-'));
const flags = words.filter((word) => word.startsWith('-'));
const all = globSync('test/cluster/*.test.ts', { cwd: root }).sort();
// 10.96.0.0/16 are the Services: the API server reaches a webhook at its ClusterIP, which is this machine.
const directory = mkdtempSync(join(tmpdir(), 'weir-cluster-run-'));
// Names are those of the test's own DNS.
const resolv = join(directory, 'resolv.conf');
writeFileSync(resolv, 'nameserver 127.0.0.1\n');
chmodSync(directory, 0o755);
const network = [
  'ip link set lo up; ip route add local 10.96.0.0/16 dev lo',
  `mount --bind ${resolv} /etc/resolv.conf`,
  'exec "$@"',
].join('; ');
const runner = spawn(
  'unshare',
  [
    ...['--net', '--mount', 'sh', '-ec', network, 'sh'],
    ...[process.execPath, '--test', '--test-concurrency=1', '--test-timeout=900000', '--test-reporter=spec'],
    ...flags,
    ...(files.length > 0 ? files : all),
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      WEIR_TEST_TOOLS: tools,
      WEIR_TEST_PYTHON: python,
      WEIR_TEST_GO: clients.go,
      WEIR_TEST_JAVA: clients.java,
      WEIR_TEST_POSTGRES: postgres.url,
      NODE_COMPILE_CACHE: join(directory, 'compiled'),
      ENVOY_BIN: await findEnvoy({ env: process.env, say: (line) => process.stderr.write(`${line}\n`) }),
    },
  },
);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => runner.kill(signal));
const code = await new Promise<number>((resolve) => runner.on('close', (exit) => resolve(exit ?? 1)));
await postgres.stop();
rmSync(directory, { recursive: true });
process.exit(code);
