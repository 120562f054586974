import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { readCertificates, renewCertificates } from '../../src/kubernetes/certificates.ts';

const dayMs = 86_400_000;
const minuteMs = 60_000;
const start = Date.UTC(2027, 0, 1);
const services = ['weir-injector.weir.svc', 'weir-processor.weir.svc'];
const needs = (now: number, hosts = ['api.openai.com']) => ({ services, hosts, now, rotateBeforeDays: 30 });

test('certificates stay while they are good, and are renewed before they end', async () => {
  const first = await renewCertificates(null, needs(start));
  assert.deepEqual(readCertificates(JSON.stringify(first)), first);
  assert.deepEqual(await renewCertificates(first, needs(start + 50 * dayMs)), first);
  const later = await renewCertificates(first, needs(start + 61 * dayMs));
  assert.notEqual(later.serving.cert, first.serving.cert);
  assert.deepEqual(later.services, first.services, 'by the same authority');
  assert.deepEqual(later.intercept, first.intercept);
  const half = await renewCertificates(first, needs(start + 200 * dayMs));
  assert.notEqual(half.intercept[0]?.leaf.cert, first.intercept[0]?.leaf.cert);
});

test('a new authority signs when everyone knows it, and the old one stays', async () => {
  const first = await renewCertificates(null, needs(start));
  const now = start + 3_621 * dayMs;
  const second = await renewCertificates(first, needs(now));
  assert.equal(second.services.length, 2);
  const [old, fresh] = second.services.map(({ cert }) => new X509Certificate(cert));
  assert.ok(old && fresh);
  assert.ok(new X509Certificate(second.serving.cert).verify(old.publicKey), 'nobody knows the new one yet');
  const third = await renewCertificates(second, needs(now + 11 * minuteMs));
  assert.ok(new X509Certificate(third.serving.cert).verify(fresh.publicKey));
  assert.equal(third.services.length, 2, 'who trusts only the old one is known still');
  const fourth = await renewCertificates(third, needs(start + 3_651 * dayMs));
  assert.equal(fourth.services.length, 1);
});

test('a host that comes later makes a new authority; pods that trust the old one are served as before', async () => {
  const first = await renewCertificates(null, needs(start));
  const both = ['api.openai.com', 'llm.example.com'];
  const second = await renewCertificates(first, needs(start + dayMs, both));
  assert.deepEqual(
    second.intercept.map(({ hosts }) => hosts),
    [['api.openai.com'], both],
  );
  assert.deepEqual(second.intercept[0], first.intercept[0]);
  // An injector of the release before knows one host less: it changes nothing back.
  assert.deepEqual(await renewCertificates(second, needs(start + dayMs)), second);
});
