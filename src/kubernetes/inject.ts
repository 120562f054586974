import type { KubernetesConfig } from '../config/kubernetes.ts';
import type { Config } from '../config/schema.ts';
import { interceptedHosts } from '../envoy/sidecar.ts';
import { readWishes, type Wishes } from './annotations.ts';
import { initContainer, injectedVolumes, proxyContainer } from './containers.ts';
import { gatewayEnvironment, trustEnvironment } from './environment.ts';
import { annotation, type Container, label, ours, type Pod, trustDirectory, volumes } from './pod.ts';
import { refusal } from './refusal.ts';

/** What a pod gets, from the config and the certificates of today. */
export interface InjectContext {
  config: KubernetesConfig;
  providers: Config['providers'];
  version: string;
  /** PEM of the authority of the intercepted hosts, and its fingerprint. */
  authority: { cert: string; fingerprint: string };
  /** PEM of the authorities of weir's Services, and the fingerprint of the newest. */
  trust: { certs: string; fingerprint: string };
  /** PEM; empty: none. */
  extraRoots: string;
  /** Of the namespace of the pod. */
  namespaceLabels: Record<string, string>;
}

export type Injection =
  | { kind: 'untouched'; why: string }
  | { kind: 'refused'; message: string }
  | { kind: 'injected'; pod: Pod; warnings: string[] };

/** The pod with all it needs. Twice is the same as once: what is there of weir's is put in anew. */
export function inject(pod: Pod, context: InjectContext): Injection {
  const system = pod.spec.os?.name ?? pod.spec.nodeSelector?.['kubernetes.io/os'] ?? 'linux';
  if (system !== 'linux') return { kind: 'untouched', why: `its system is ${system}` };
  const annotations = pod.metadata.annotations ?? {};
  const { wishes, problems } = readWishes(annotations, Object.keys(context.providers));
  if (problems.length > 0) return { kind: 'refused', message: problems.join('; ') };
  const bare = withoutOurs(pod);
  const mode = wishes.mode ?? context.config.mode;
  if (mode === 'env') return withEnvironment(bare, context);
  const message = refusal(bare, context);
  if (message !== null) return { kind: 'refused', message };
  return withSidecar(bare, wishes, context);
}

function withSidecar(pod: Pod, wishes: Wishes, context: InjectContext): Injection {
  const { config, providers } = context;
  const chosen = [...(config.providers ?? Object.keys(providers)), ...(wishes['additional-providers'] ?? [])];
  const hosts = interceptedHosts(providers, chosen);
  const isRequired = pod.metadata.labels?.[label] === 'required';
  const asked = { wishes, hosts, isRequired, pod };
  const warnings: string[] = [];
  const trusting = (container: Container) => {
    const { env, warnings: told } = trustEnvironment(container, {
      providers: [...new Set(hosts.values())],
      api: (name) => providers[name]?.api,
      keys: wishes.keys ?? 'workload',
    });
    warnings.push(...told);
    const mount = { name: volumes.trust, mountPath: trustDirectory, readOnly: true };
    return { ...container, env, volumeMounts: [...(container.volumeMounts ?? []), mount] };
  };
  return {
    kind: 'injected',
    warnings,
    pod: {
      ...pod,
      metadata: { ...pod.metadata, annotations: { ...pod.metadata.annotations, ...marks(context) } },
      spec: {
        ...pod.spec,
        // First of all: other init containers may call LLMs as well.
        initContainers: [
          initContainer(asked, context),
          proxyContainer(asked, context),
          ...(pod.spec.initContainers ?? []).map(trusting),
        ],
        containers: pod.spec.containers.map(trusting),
        volumes: [...(pod.spec.volumes ?? []), ...injectedVolumes],
      },
    },
  };
}

function withEnvironment(pod: Pod, context: InjectContext): Injection {
  const set = (container: Container) => ({
    ...container,
    env: gatewayEnvironment(container, context.config, context.providers),
  });
  return {
    kind: 'injected',
    warnings: [],
    pod: {
      ...pod,
      metadata: {
        ...pod.metadata,
        annotations: { ...pod.metadata.annotations, [annotation.injected]: context.version },
      },
      spec: {
        ...pod.spec,
        ...(pod.spec.initContainers && { initContainers: pod.spec.initContainers.map(set) }),
        containers: pod.spec.containers.map(set),
      },
    },
  };
}

function marks({ version, authority, trust }: InjectContext): Record<string, string> {
  return {
    [annotation.injected]: version,
    [annotation.authority]: authority.fingerprint,
    [annotation.trust]: trust.fingerprint,
  };
}

/** The pod as it would be had it never been here: the webhook is asked again after others have changed it. */
function withoutOurs(pod: Pod): Pod {
  const names: readonly string[] = Object.values(ours);
  const shared: readonly string[] = Object.values(volumes);
  const clean = (list: Container[]) =>
    list
      .filter(({ name }) => !names.includes(name))
      .map((each) =>
        each.volumeMounts
          ? { ...each, volumeMounts: each.volumeMounts.filter(({ name }) => !shared.includes(name)) }
          : each,
      );
  const { initContainers, containers, volumes: all } = pod.spec;
  return {
    ...pod,
    spec: {
      ...pod.spec,
      containers: clean(containers),
      ...(initContainers && { initContainers: clean(initContainers) }),
      ...(all && { volumes: all.filter(({ name }) => !shared.includes(name)) }),
    },
  };
}
