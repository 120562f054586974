import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { rootCertificates } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { makePodNamespace } from './fixtures/pod-namespace.ts';
import { until } from './fixtures/processes.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** Answers with a name on a port of the loopback, IPv4 and IPv6. */
const listener = (name: string, port: number) =>
  `for (const host of ['127.0.0.1', '::1']) require('net').createServer((s) => s.end('${name}')).listen(${port}, host)`;
const call = (host: string) =>
  `const s = require('net').connect(443, '${host}'); s.setTimeout(3000, () => process.exit(3));
   s.on('error', () => process.exit(4)); s.on('data', (d) => { process.stdout.write(d); s.destroy(); })`;

for (const program of ['nft', 'legacy']) {
  test(`redirection beside Istio's own, by iptables-${program}`, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'weir-redirect-'));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const network = makePodNamespace(t, { directory });
    const iptables = async (ip: string, ...args: string[]) => {
      const done = await network.run([`${ip}-${program}`, '-w', '-t', 'nat', ...args], { init: true });
      assert.equal(done.code, 0, done.stderr);
      return done.stdout;
    };
    // What istio-init writes, as far as it matters here: everything to 15001, but for its own user.
    for (const ip of ['iptables', 'ip6tables']) {
      await iptables(ip, '-N', 'ISTIO_OUTPUT');
      await iptables(ip, '-A', 'OUTPUT', '-p', 'tcp', '-j', 'ISTIO_OUTPUT');
      await iptables(ip, '-A', 'ISTIO_OUTPUT', '-m', 'owner', '--uid-owner', '1337', '-j', 'RETURN');
      const loopback = ip === 'iptables' ? '127.0.0.1/32' : '::1/128';
      await iptables(ip, '-A', 'ISTIO_OUTPUT', '-d', loopback, '-j', 'RETURN');
      await iptables(ip, '-A', 'ISTIO_OUTPUT', '-p', 'tcp', '-j', 'REDIRECT', '--to-ports', '15001');
    }
    const settings = {
      ...{ trustDirectory: '/etc/weir/trust', proxyDirectory: '/etc/weir/proxy', tokenFile: '/none/token' },
      ...{
        authority: rootCertificates[0] ?? '',
        trust: '',
        extraRoots: '',
        xds: { host: 'weir', port: 1 },
        metadata: {},
      },
      ...{ readyPort: 16_002, interceptPort: 16_001, ports: [443], uids: [16_001, 1337, 2102] },
      ...{ excludedCidrs: ['198.51.100.0/24'], closedHosts: [] },
    };
    const init = [process.execPath, main, 'pod-init', '--settings', JSON.stringify(settings)];
    const env = { XTABLES_LOCKFILE: '/etc/weir/proxy/xtables.lock' };
    // An init container may run again: then all is there once.
    for (let time = 0; time < 2; time++) {
      const done = await network.run(init, { init: true, env });
      assert.equal(done.code, 0, done.stdout + done.stderr);
    }
    for (const ip of ['iptables', 'ip6tables']) {
      const rules = (await iptables(ip, '-S', 'OUTPUT')).trim().split('\n');
      assert.deepEqual(rules.slice(1), [
        '-A OUTPUT -p tcp -j WEIR_OUTPUT',
        '-A OUTPUT -p tcp -j ISTIO_OUTPUT',
      ]);
    }
    network.start([process.execPath, '-e', listener('weir', 16_001)], { uid: 16_001 });
    network.start([process.execPath, '-e', listener('istio', 15_001)], { uid: 1337 });
    const asked = async (uid: number, host: string) =>
      (await network.run([process.execPath, '-e', call(host)], { uid })).stdout;
    await until(
      'both listen',
      async () => (await asked(1000, '203.0.113.9')) && (await asked(16_001, '203.0.113.9')),
    );
    for (const host of ['203.0.113.9', '2001:db8::9']) {
      assert.equal(await asked(1000, host), 'weir', 'the application comes to weir');
      assert.equal(await asked(16_001, host), 'istio', 'weir goes out through the mesh');
      assert.equal(await asked(1337, host), '', 'the mesh goes out by itself');
    }
    assert.equal(await asked(1000, '198.51.100.1'), 'istio', 'what is excluded is not for weir');
  });
}
