import type { Json } from '../envoy/inputs.ts';
import { type PodSettings, podFiles } from '../pod/prepare.ts';
import type { Wishes } from './annotations.ts';
import type { InjectContext } from './inject.ts';
import {
  type Container,
  ours,
  type Pod,
  proxyDirectory,
  tokenDirectory,
  trustDirectory,
  volumes,
} from './pod.ts';

/** Istio's and Linkerd's own users: their proxies' connections must not come round to weir's. */
const otherMeshes = [1337, 2102];

export interface Asked {
  wishes: Wishes;
  /** By host, the provider whose calls are intercepted there. */
  hosts: ReadonlyMap<string, string>;
  /** The pod must not run unwatched. */
  isRequired: boolean;
  pod: Pod;
}

const audience = 'weir';

export const injectedVolumes = [
  { name: volumes.trust, emptyDir: { sizeLimit: '16Mi' } },
  { name: volumes.proxy, emptyDir: { sizeLimit: '16Mi' } },
  {
    name: volumes.token,
    projected: { sources: [{ serviceAccountToken: { audience, expirationSeconds: 3600, path: 'token' } }] },
  },
];

const confined = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  seccompProfile: { type: 'RuntimeDefault' },
};

/** Writes what the pod trusts and the proxy's bootstrap, then redirects: the one container with NET_ADMIN. */
export function initContainer(asked: Asked, context: InjectContext): Container {
  const { config } = context;
  return {
    name: ours.init,
    image: config.image,
    imagePullPolicy: config.pull_policy,
    args: ['pod-init', '--settings', JSON.stringify(settingsOf(asked, context))],
    env: [{ name: 'XTABLES_LOCKFILE', value: `${proxyDirectory}/xtables.lock` }],
    resources: config.init_resources,
    securityContext: {
      ...confined,
      runAsUser: 0,
      runAsGroup: 0,
      runAsNonRoot: false,
      capabilities: { drop: ['ALL'], add: ['NET_ADMIN', 'NET_RAW'] },
    },
    volumeMounts: [
      { name: volumes.trust, mountPath: trustDirectory },
      { name: volumes.proxy, mountPath: proxyDirectory },
    ],
  };
}

/** Envoy as a native sidecar: up before the application, down after it, and no reason for a Job to go on. */
export function proxyContainer({ wishes }: Asked, { config }: InjectContext): Container {
  const { uid } = config;
  return {
    name: ours.proxy,
    image: config.envoy_image,
    imagePullPolicy: config.pull_policy,
    restartPolicy: 'Always',
    command: ['envoy'],
    args: [
      ...['--config-path', `${proxyDirectory}/${podFiles.bootstrap}`],
      ...['--service-node', '$(POD_NAMESPACE)/$(POD_NAME)'],
      ...['--concurrency', '1', '--disable-hot-restart', '--log-level', 'warn'],
    ],
    env: [
      { name: 'POD_NAME', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } },
      {
        name: 'POD_NAMESPACE',
        valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } },
      },
    ],
    ports: [{ name: 'weir-ready', containerPort: config.ready_port, protocol: 'TCP' }],
    startupProbe: {
      httpGet: { path: '/ready', port: config.ready_port, scheme: 'HTTP' },
      periodSeconds: 1,
      timeoutSeconds: 1,
      successThreshold: 1,
      failureThreshold: 60,
    },
    resources: {
      requests: chosen(
        config.proxy_resources.requests,
        wishes['proxy-cpu-request'],
        wishes['proxy-memory-request'],
      ),
      limits: chosen(config.proxy_resources.limits, wishes['proxy-cpu-limit'], wishes['proxy-memory-limit']),
    },
    securityContext: {
      ...confined,
      runAsUser: uid,
      runAsGroup: uid,
      runAsNonRoot: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [
      { name: volumes.proxy, mountPath: proxyDirectory },
      { name: volumes.token, mountPath: tokenDirectory, readOnly: true },
    ],
  };
}

function chosen(
  set: Record<string, string> | undefined,
  cpu: string | undefined,
  memory: string | undefined,
): Record<string, string> {
  return { ...set, ...(cpu !== undefined && { cpu }), ...(memory !== undefined && { memory }) };
}

function settingsOf({ wishes, hosts, isRequired }: Asked, context: InjectContext): PodSettings {
  const { config, authority, trust, extraRoots } = context;
  const excludedPorts = wishes['excluded-ports'] ?? [];
  const onFailure = wishes['on-failure'] ?? (isRequired ? 'closed' : undefined);
  const metadata: Record<string, Json> = {
    version: context.version,
    authority: authority.fingerprint,
    providers: wishes['additional-providers'] ?? [],
    port: config.intercept_port,
    ...(onFailure !== undefined && { on_failure: onFailure }),
  };
  return {
    trustDirectory,
    proxyDirectory,
    tokenFile: `${tokenDirectory}/token`,
    authority: authority.cert,
    trust: trust.certs,
    extraRoots,
    xds: { host: `${config.name}-injector.${config.namespace}.svc`, port: config.xds.port },
    readyPort: config.ready_port,
    interceptPort: config.intercept_port,
    ports: config.ports.filter((port) => !excludedPorts.includes(port)),
    uids: [config.uid, ...otherMeshes],
    excludedCidrs: [...config.excluded_cidrs, ...(wishes['excluded-cidrs'] ?? [])],
    closedHosts: onFailure === 'closed' ? [...hosts.keys()] : [],
    metadata,
  };
}
