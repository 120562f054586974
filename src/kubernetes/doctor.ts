import { X509Certificate } from 'node:crypto';
import { connect } from 'node:tls';
import { z } from 'zod';
import type { KubernetesConfig } from '../config/kubernetes.ts';
import type { AskKubernetes } from './client.ts';
import { objects } from './install.ts';
import { annotation, label, ours } from './pod.ts';
import { serviceNames } from './sidecar-xds.ts';

/** One thing that is looked at: resolves to what is well, in words; rejects with what is not, and the way out. */
export interface Check {
  name: string;
  look(): Promise<string>;
}

const timeoutMs = 5_000;
const dayMs = 86_400_000;

const named = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
});
const list = z.object({ items: z.array(named) });
const pods = z.object({
  items: z.array(
    named.extend({
      spec: z.looseObject({ initContainers: z.array(z.looseObject({ name: z.string() })).optional() }),
    }),
  ),
});

/** What is looked at of an install. `trust` is the PEM of the authorities of its Services. */
export function installChecks(
  ask: AskKubernetes,
  config: KubernetesConfig,
  { trust, now }: { trust: string; now: number },
): Check[] {
  const services = serviceNames(config);
  const tls = (name: string, host: string, port: number): Check => ({
    name,
    look: async () => {
      const end = await handshake(host, port, trust);
      const days = Math.floor((end - now) / dayMs);
      if (days < 7) throw new Error(`its certificate ends in ${days} days: is an injector running?`);
      return `reached; its certificate is good for ${days} days`;
    },
  });
  return [
    {
      name: 'webhook configuration',
      look: async () => {
        const path = `/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/${objects(config.name).webhook}`;
        const found = z
          .object({
            webhooks: z.array(
              z.looseObject({ clientConfig: z.looseObject({ caBundle: z.string().optional() }) }),
            ),
          })
          .parse(await ask('GET', path));
        if (found.webhooks.some(({ clientConfig }) => !clientConfig.caBundle))
          throw new Error('it has no bundle, so that the API server trusts no injector: is one running?');
        return `${found.webhooks.length} webhooks, trusted`;
      },
    },
    tls('webhook', services.injector, config.webhook.port),
    tls('sidecar configuration', services.injector, config.xds.port),
    tls('processor', services.processor, config.processor_port),
    tls('collector, for sidecars', services.collector, config.collector_port),
    { name: 'pods', look: () => lookAtPods(ask) },
  ];
}

/** Pods that should have a sidecar and have none; they were created while no injector answered, or before the label. */
async function lookAtPods(ask: AskKubernetes): Promise<string> {
  const selector = encodeURIComponent(`${label}=enabled`);
  const { items } = list.parse(await ask('GET', `/api/v1/namespaces?labelSelector=${selector}`));
  let injected = 0;
  const without: string[] = [];
  for (const { metadata } of items) {
    const found = pods.parse(await ask('GET', `/api/v1/namespaces/${metadata.name}/pods?limit=1000`));
    for (const pod of found.items) {
      if (pod.metadata.labels?.[label] === 'disabled') continue;
      const isInjected =
        pod.metadata.annotations?.[annotation.injected] !== undefined ||
        pod.spec.initContainers?.some(({ name }) => name === ours.proxy);
      if (isInjected) injected += 1;
      else without.push(`${metadata.name}/${pod.metadata.name}`);
    }
  }
  if (without.length > 0) {
    const shown = without.slice(0, 10).join(', ');
    throw new Error(
      `${without.length} have no sidecar (${shown}${without.length > 10 ? ', …' : ''}): restart what made them`,
    );
  }
  return `${injected} with a sidecar, none without, in ${items.length} namespaces with the label`;
}

/** What is looked at before an install. */
export function earlyChecks(ask: AskKubernetes): Check[] {
  return [
    {
      name: 'Kubernetes',
      look: async () => {
        const { major, minor } = z
          .object({ major: z.string(), minor: z.string() })
          .parse(await ask('GET', '/version'));
        if (Number(major) === 1 && Number.parseInt(minor, 10) < 29)
          throw new Error(`it is ${major}.${minor}, and native sidecars take 1.29`);
        return `${major}.${minor}`;
      },
    },
    {
      name: 'permissions',
      look: async () => {
        const wanted = [
          ['', 'secrets'],
          ['apps', 'deployments'],
          ['rbac.authorization.k8s.io', 'clusterroles'],
          ['admissionregistration.k8s.io', 'mutatingwebhookconfigurations'],
        ] as const;
        const refused: string[] = [];
        for (const [group, resource] of wanted) {
          const review = {
            apiVersion: 'authorization.k8s.io/v1',
            kind: 'SelfSubjectAccessReview',
            spec: { resourceAttributes: { group, resource, verb: 'create' } },
          };
          const answer = await ask('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', review);
          if (!z.object({ status: z.object({ allowed: z.boolean() }) }).parse(answer).status.allowed)
            refused.push(resource);
        }
        if (refused.length > 0) throw new Error(`you may not create ${refused.join(', ')}: ask who may`);
        return 'you may install it';
      },
    },
    {
      name: 'Pod Security levels',
      look: async () => {
        const { items } = list.parse(await ask('GET', '/api/v1/namespaces'));
        const strict = items.filter(({ metadata }) =>
          ['baseline', 'restricted'].includes(metadata.labels?.['pod-security.kubernetes.io/enforce'] ?? ''),
        );
        if (strict.length === 0) return 'no namespace forbids sidecars';
        const names = strict.map(({ metadata }) => metadata.name).join(', ');
        return `no sidecars in ${names}: use weir.dev/mode: env there`;
      },
    },
    {
      name: 'other meshes',
      look: async () => {
        const { items } = list.parse(await ask('GET', '/api/v1/namespaces'));
        const found = items.flatMap(({ metadata: { name, labels } }) => {
          if (labels?.['istio.io/dataplane-mode'] === 'ambient') return [`Istio ambient in ${name}`];
          return labels?.['istio-injection'] === 'enabled' || labels?.['istio.io/rev']
            ? [`Istio in ${name}`]
            : [];
        });
        const linkerd = items.some(({ metadata }) => metadata.name === 'linkerd');
        if (found.length === 0 && !linkerd) return 'none';
        return `${[...found, ...(linkerd ? ['Linkerd'] : [])].join(', ')}: weir's rules come first (docs/kubernetes.md)`;
      },
    },
  ];
}

/** Resolves to when the certificate ends. */
function handshake(host: string, port: number, trust: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, servername: host, ca: trust, timeout: timeoutMs }, () => {
      const certificate = socket.getPeerX509Certificate();
      socket.destroy();
      if (certificate) resolve(new X509Certificate(certificate.raw).validToDate.getTime());
      else reject(new Error('it shows no certificate'));
    });
    socket.on('timeout', () =>
      socket.destroy(new Error(`no answer from ${host}:${port} in ${timeoutMs / 1000} s`)),
    );
    socket.on('error', reject);
  });
}
