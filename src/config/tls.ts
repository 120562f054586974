import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import grpc from '@grpc/grpc-js';
import type { Config } from './schema.ts';

export type TlsFiles = NonNullable<Config['tls']>;

const rereadMs = 5_000;

type Listener = Parameters<grpc.experimental.CertificateProvider['addIdentityCertificateListener']>[0];
type Identity = NonNullable<Parameters<Listener>[0]>;

/**
 * Credentials of a gRPC server whose certificate is read anew when its files change; where they do not belong
 * together, as in the middle of a change, the last ones stay. Throws when there are none.
 */
export function serverCredentials(tls: TlsFiles | undefined): grpc.ServerCredentials {
  if (!tls) throw new Error('an address of its own takes tls.cert_file and tls.key_file');
  let current = read(tls);
  const listeners = new Set<Listener>();
  const timer = setInterval(() => {
    const next = readAgain(tls);
    if (!next || (next.certificate.equals(current.certificate) && next.privateKey.equals(current.privateKey)))
      return;
    current = next;
    for (const each of listeners) each(current);
  }, rereadMs);
  timer.unref();
  const files: grpc.experimental.CertificateProvider = {
    addIdentityCertificateListener(listener) {
      listeners.add(listener);
      setImmediate(() => listener(current));
    },
    removeIdentityCertificateListener: (listener) => void listeners.delete(listener),
    addCaCertificateListener: () => {},
    removeCaCertificateListener: () => {},
  };
  // Its declaration has the names of the first two the wrong way round: this is the server's own certificate.
  return grpc.experimental.createCertificateProviderServerCredentials(files, null, false);
}

function read({ cert_file, key_file }: TlsFiles): Identity {
  const [certificate, privateKey] = [readFileSync(cert_file), readFileSync(key_file)];
  if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(privateKey)))
    throw new Error(`${key_file} is not the key of ${cert_file}`);
  return { certificate, privateKey };
}

function readAgain(tls: TlsFiles): Identity | null {
  try {
    return read(tls);
  } catch {
    return null;
  }
}
