import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { rootCertificates } from 'node:tls';
import { issue, makeAuthority } from '../../src/kubernetes/authority.ts';
import { trustStore } from '../../src/pod/trust-store.ts';

const now = Date.now();

function verify(ca: string, leaf: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'weir-ca-'));
  try {
    const [caFile, leafFile] = [join(directory, 'ca.pem'), join(directory, 'leaf.pem')];
    writeFileSync(caFile, ca);
    writeFileSync(leafFile, leaf);
    const { stdout, stderr } = spawnSync('openssl', ['verify', '-x509_strict', '-CAfile', caFile, leafFile], {
      encoding: 'utf8',
    });
    return stdout + stderr;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test('an authority vouches for its hosts, and can vouch for nothing else', async () => {
  const ca = await makeAuthority('weir test', ['api.openai.com', 'api.anthropic.com'], now);
  const good = await issue(ca, ['api.openai.com', 'api.anthropic.com'], now, 365);
  assert.match(verify(ca.cert, good.cert), /: OK/);
  assert.equal(new X509Certificate(good.cert).checkHost('api.anthropic.com'), 'api.anthropic.com');

  const other = await issue(ca, ['api.openai.com', 'bank.example'], now, 365);
  assert.match(verify(ca.cert, other.cert), /permitted subtree violation/);
  const end = new X509Certificate(good.cert).validToDate.getTime();
  assert.ok(end - now < 366 * 86_400_000);
});

test('Java reads the trust store', (t) => {
  if (spawnSync('keytool', ['-help']).error) return t.skip('no keytool');
  const directory = mkdtempSync(join(tmpdir(), 'weir-java-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'trust.p12');
  const roots = rootCertificates.slice(0, 20);
  writeFileSync(file, trustStore(roots));
  const list = execFileSync('keytool', ['-list', '-keystore', file, '-storepass', ''], { encoding: 'utf8' });
  assert.equal(list.match(/trustedCertEntry/g)?.length, roots.length, list);
});
