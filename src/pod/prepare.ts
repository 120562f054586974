import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { z } from 'zod';
import { remoteBootstrap } from '../envoy/sidecar-bootstrap.ts';
import { redirectConnections } from './redirect.ts';
import { trustStore } from './trust-store.ts';

const port = z.int().min(1).max(65_535);

/** What the injector tells the init container. */
export const podSettings = z.strictObject({
  /** Where the application finds what it trusts. */
  trustDirectory: z.string(),
  /** Where the proxy finds its files. */
  proxyDirectory: z.string(),
  tokenFile: z.string(),
  /** PEM of the authority of the intercepted hosts. */
  authority: z.string(),
  /** PEM of the authorities of weir's Services. */
  trust: z.string(),
  /** PEM of roots that the application trusts besides the public ones. */
  extraRoots: z.string(),
  xds: z.strictObject({ host: z.string(), port }),
  readyPort: port,
  interceptPort: port,
  ports: z.array(port),
  uids: z.array(z.int().nonnegative()),
  excludedCidrs: z.array(z.string()),
  closedHosts: z.array(z.string()),
  /** Shown by the proxy with each discovery request. */
  metadata: z.record(z.string(), z.json()),
});
export type PodSettings = z.infer<typeof podSettings>;

/** Names of the files, in their directories. */
export const podFiles = {
  bundle: 'bundle.pem',
  authority: 'weir.pem',
  java: 'trust.p12',
  bootstrap: 'envoy.json',
  roots: 'roots.pem',
  trust: 'services.pem',
  admin: 'admin.sock',
} as const;

/** Prepares a pod: what it trusts, the bootstrap of its proxy, and last the redirection to it. */
export async function preparePod(settings: PodSettings): Promise<string[]> {
  const { trustDirectory, proxyDirectory, authority } = settings;
  const extra = certificatesIn(settings.extraRoots);
  const roots = [...rootCertificates, ...extra];
  const write = (directory: string, name: string, content: string | Buffer) => {
    mkdirSync(directory, { recursive: true });
    // Of an earlier start: without CAP_DAC_OVERRIDE even root cannot write what is read-only.
    rmSync(join(directory, name), { force: true });
    writeFileSync(join(directory, name), content, { mode: 0o444 });
  };
  const lines = (certificates: string[]) => `${certificates.map((each) => each.trim()).join('\n')}\n`;
  write(trustDirectory, podFiles.bundle, lines([...roots, authority]));
  write(trustDirectory, podFiles.authority, lines([...extra, authority]));
  write(trustDirectory, podFiles.java, trustStore([...roots, authority]));
  write(proxyDirectory, podFiles.roots, lines(roots));
  write(proxyDirectory, podFiles.trust, settings.trust);
  const ipv6 = hasIpv6();
  const bootstrap = remoteBootstrap({
    metadata: { ...settings.metadata, ipv6 },
    cluster: 'weir-sidecar',
    xds: settings.xds,
    trustFile: join(proxyDirectory, podFiles.trust),
    tokenFile: settings.tokenFile,
    adminSocket: join(proxyDirectory, podFiles.admin),
    readyPort: settings.readyPort,
    ipv6,
    intercept: { port: settings.interceptPort, closedHosts: settings.closedHosts },
  });
  write(proxyDirectory, podFiles.bootstrap, JSON.stringify(bootstrap));
  if (settings.ports.length === 0) return [];
  return redirectConnections({
    ports: settings.ports,
    to: settings.interceptPort,
    uids: settings.uids,
    excluded: settings.excludedCidrs,
  });
}

/** A pod without IPv6 has no ::1 to listen on. */
function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'));
}

function certificatesIn(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
}
