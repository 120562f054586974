// The library below wants it there first.
import 'reflect-metadata';
import { createPrivateKey, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { AsnConvert } from '@peculiar/asn1-schema';
import { GeneralName, GeneralSubtree, GeneralSubtrees, NameConstraints } from '@peculiar/asn1-x509';
import * as x509 from '@peculiar/x509';

/** A certificate with its key, both in PEM. */
export interface Pair {
  cert: string;
  key: string;
}

const dayMs = 86_400_000;
/** Clocks of nodes differ a little. */
const leewayMs = 5 * 60_000;
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const nameConstraintsOid = '2.5.29.30';

x509.cryptoProvider.set(webcrypto as typeof crypto);

/**
 * A certificate authority that can vouch for `hosts` and what lies below them, and for no address: its
 * X.509 name constraints (RFC 5280, 4.2.1.10) are critical, so that who trusts it trusts it for nothing else.
 */
export async function makeAuthority(name: string, hosts: string[], now: number, days = 3650): Promise<Pair> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: `CN=${name}`,
    notBefore: new Date(now - leewayMs),
    notAfter: new Date(now + days * dayMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      new x509.Extension(nameConstraintsOid, true, AsnConvert.serialize(constraints(hosts))),
    ],
  });
  return pair(cert, keys.privateKey);
}

/** A server certificate for `hosts`, signed by the authority. Apple takes none of more than 825 days. */
export async function issue(authority: Pair, hosts: string[], now: number, days: number): Promise<Pair> {
  const issuer = new x509.X509Certificate(authority.cert);
  const signingKey = await webcrypto.subtle.importKey(
    'pkcs8',
    createPrivateKey(authority.key).export({ type: 'pkcs8', format: 'der' }),
    algorithm,
    false,
    ['sign'],
  );
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const cert = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    // A subject of its own kind: names of hosts stand in the alternative names.
    subject: 'CN=weir',
    issuer: issuer.subject,
    notBefore: new Date(now - leewayMs),
    notAfter: new Date(Math.min(now + days * dayMs, issuer.notAfter.getTime())),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(hosts.map((value) => ({ type: 'dns', value }))),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return pair(cert, keys.privateKey);
}

/** Names a certificate: the first 16 hex digits of its SHA-256. */
export function fingerprintOf(cert: string): string {
  return new X509Certificate(cert).fingerprint256.replaceAll(':', '').slice(0, 16).toLowerCase();
}

/** When a certificate ends, in epoch milliseconds. */
export function endOf(cert: string): number {
  return new X509Certificate(cert).validToDate.getTime();
}

function constraints(hosts: string[]): NameConstraints {
  const subtree = (name: Partial<GeneralName>) => new GeneralSubtree({ base: new GeneralName(name) });
  const addresses = ['0.0.0.0/0', '::/0'].map((iPAddress) => subtree({ iPAddress }));
  return new NameConstraints({
    permittedSubtrees: new GeneralSubtrees(hosts.map((dNSName) => subtree({ dNSName }))),
    excludedSubtrees: new GeneralSubtrees(addresses),
  });
}

function serial(): string {
  const bytes = randomBytes(16);
  // Positive, as RFC 5280 wants it.
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

async function pair(cert: x509.X509Certificate, privateKey: webcrypto.CryptoKey): Promise<Pair> {
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', privateKey));
  return {
    cert: `${cert.toString('pem')}\n`,
    key: String(
      createPrivateKey({ key, format: 'der', type: 'pkcs8' }).export({ type: 'pkcs8', format: 'pem' }),
    ),
  };
}
