import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Logger } from 'pino';
import { readSettings } from '../config/env.ts';
import type { Config } from '../config/schema.ts';
import { interceptedHosts } from '../envoy/sidecar.ts';
import { createWorkloads } from '../identity/workloads.ts';
import { fingerprintOf } from '../kubernetes/authority.ts';
import type { Certificates } from '../kubernetes/certificates.ts';
import { createKubernetesClient } from '../kubernetes/client.ts';
import { createHttps } from '../kubernetes/https.ts';
import { type InjectContext, inject } from '../kubernetes/inject.ts';
import { bundleOf, keepCertificates } from '../kubernetes/install.ts';
import { createNamespaceLabels } from '../kubernetes/namespaces.ts';
import { createSidecarXds, type XdsState } from '../kubernetes/sidecar-xds.ts';
import { answerReview } from '../kubernetes/webhook.ts';
import { onFailure } from './envoy.ts';
import type { Role } from './run.ts';

/** How often certificates are looked after, and how much the looks of several injectors lie apart. */
const renewMs = 30_000;
const startRetryMs = 2_000;
const rereadMs = 1_000;
const stopTimeoutMs = 10_000;

/** `weir injector`: puts sidecars into pods, and tells them their configuration. */
export const injector: Role = async ({ settings, log: parent, version, options }) => {
  const log = parent.child({ role: 'injector' });
  const { config } = settings;
  const { kubernetes } = config;
  const workloads = createWorkloads(config.workloads, { log, now: Date.now });
  if (!workloads) throw new Error('workloads.jwks is not set: sidecars could not prove who they are');
  const client = createKubernetesClient(kubernetes.api);
  const labelsOf = createNamespaceLabels(client.ask);
  const keep = (from: Config) =>
    keepCertificates(client.ask, from.kubernetes, { hosts: hostsOf(from), now: Date.now() });

  let current = stateOf(config, await untilKept(() => keep(config), log));
  const counts = { injected: 0, untouched: 0, refused: 0, failed: 0 };

  const context = (namespaceLabels: Record<string, string>): InjectContext => {
    const { certificates, providers } = current;
    const authority = certificates.intercept.at(-1);
    const service = certificates.services.at(-1);
    if (!authority || !service) throw new Error('there are no certificates');
    return {
      config: current.config,
      providers,
      version,
      authority: { cert: authority.cert, fingerprint: fingerprintOf(authority.cert) },
      trust: { certs: bundleOf(certificates), fingerprint: fingerprintOf(service.cert) },
      extraRoots: readRoots(current.config.extra_roots_file),
      namespaceLabels,
    };
  };
  const failed = (error: unknown) => {
    counts.failed += 1;
    log.error({ err: error }, 'a request could not be answered');
  };
  const webhook = createHttps({
    address: kubernetes.webhook,
    pair: current.certificates.serving,
    failed,
    async answer({ method, path, body }) {
      if (method !== 'POST' || path.split('?')[0] !== '/mutate') return { status: 404 };
      const reviewed = await answerReview(body, async (pod, namespace) =>
        inject(pod, context(await labelsOf(namespace))),
      );
      counts[reviewed.outcome] += 1;
      return { status: 200, body: reviewed.body };
    },
  });
  const xds = createHttps({
    address: kubernetes.xds,
    pair: current.certificates.serving,
    failed,
    answer: createSidecarXds({ state: () => current, workloads }),
  });

  /** Takes another config, or other certificates, into use. */
  const become = (next: XdsState) => {
    if (next.certificates.serving.cert !== current.certificates.serving.cert)
      for (const server of [webhook, xds]) server.change(next.certificates.serving);
    current = next;
  };
  let read = config;
  const renew = async () => {
    const certificates = await keep(read);
    const isSame = JSON.stringify(certificates) === JSON.stringify(current.certificates);
    if (!isSame || read !== config || current.providers !== read.providers)
      become(stateOf(read, certificates));
  };
  const renewing = setInterval(
    () =>
      void renew().catch((error: unknown) =>
        log.warn({ err: error }, 'certificates could not be looked after'),
      ),
    renewMs * (0.8 + Math.random() * 0.4),
  );
  const watching = watchFile(settings.file, () => {
    try {
      read = readSettings(options).config;
      log.info('weir.yaml has changed');
      void renew().catch((error: unknown) =>
        log.warn({ err: error }, 'the new config waits for certificates'),
      );
    } catch (error) {
      log.error({ err: error }, 'weir.yaml cannot be used: the config before it stays in force');
    }
  });

  const health = createServer((request, response) => {
    const isMetrics = request.url === '/metrics';
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' });
    response.end(isMetrics ? metricsOf(counts) : 'ok\n');
  });
  await webhook.start();
  await xds.start();
  await new Promise<void>((resolve, reject) => {
    const { host, port } = kubernetes.health;
    health.once('error', reject).listen(port, host, resolve);
  });
  log.info({ webhook: kubernetes.webhook, xds: kubernetes.xds }, 'the injector is up');
  return {
    async stop() {
      clearInterval(renewing);
      watching();
      health.close();
      health.closeAllConnections();
      await Promise.all([webhook.stop(stopTimeoutMs), xds.stop(stopTimeoutMs)]);
      await client.close();
    },
  };
};

function hostsOf({ providers }: Config): string[] {
  return [...interceptedHosts(providers, Object.keys(providers)).keys()];
}

function stateOf(config: Config, certificates: Certificates): XdsState {
  const roots = Object.entries(config.providers).flatMap(([name, { ca_file }]) =>
    ca_file === undefined ? [] : [[name, readFileSync(ca_file, 'utf8')] as const],
  );
  return {
    config: config.kubernetes,
    providers: config.providers,
    models: config.models,
    onFailure: onFailure(config),
    rootsOf: new Map(roots),
    certificates,
  };
}

function readRoots(file: string | undefined): string {
  return file === undefined ? '' : readFileSync(file, 'utf8');
}

/** The chart's objects may come a moment later than this. */
async function untilKept(keep: () => Promise<Certificates>, log: Logger): Promise<Certificates> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await keep();
    } catch (error) {
      if (attempt === 30) throw error;
      log.warn({ err: error }, 'certificates cannot be made yet');
      await new Promise((resolve) => setTimeout(resolve, startRetryMs));
    }
  }
}

/** Calls `changed` within a second or so of a change of a file; a mounted ConfigMap changes by a swapped link. */
function watchFile(file: string | null, changed: () => void): () => void {
  if (file === null) return () => {};
  const look = () => (existsSync(file) ? `${statSync(file).mtimeMs} ${statSync(file).ino}` : '');
  let before = look();
  const timer = setInterval(() => {
    const now = look();
    if (now === before || now === '') return;
    before = now;
    changed();
  }, rereadMs);
  return () => clearInterval(timer);
}

function metricsOf(counts: Record<string, number>): string {
  const lines = Object.entries(counts).map(
    ([outcome, count]) => `weir_injector_pods_total{outcome="${outcome}"} ${count}`,
  );
  return `# TYPE weir_injector_pods_total counter\n${lines.join('\n')}\n`;
}
