import { z } from 'zod';
import type { KubernetesConfig } from '../config/kubernetes.ts';
import type { Config } from '../config/schema.ts';
import { gatewayResources } from '../envoy/gateway.ts';
import type { EnvoyInputs } from '../envoy/inputs.ts';
import { type Discovery, discovery, isKind, type Kind, type Resources } from '../envoy/resources.ts';
import { interceptedHosts, sidecarResources } from '../envoy/sidecar.ts';
import { type ReadWorkload, readBearer } from '../identity/workloads.ts';
import { podFiles } from '../pod/prepare.ts';
import { fingerprintOf } from './authority.ts';
import type { Certificates } from './certificates.ts';
import type { Answered, Asked } from './https.ts';
import { proxyDirectory } from './pod.ts';

/** What a sidecar says of itself: it was told by the injector of its day, which may have been of another release. */
const sidecarNode = z.looseObject({
  authority: z.string(),
  /** Whose hosts it wants to have read besides those of everybody. */
  providers: z.array(z.string()),
  port: z.number(),
  ipv6: z.boolean(),
  on_failure: z.enum(['auto', 'open', 'closed']).optional(),
});

const discoveryRequest = z.looseObject({
  version_info: z.string().optional(),
  resource_names: z.array(z.string()).default([]),
  node: z.looseObject({
    id: z.string(),
    cluster: z.string(),
    metadata: z.unknown(),
    user_agent_build_version: z
      .looseObject({
        version: z.looseObject({ major_number: z.number().default(0), minor_number: z.number().default(0) }),
      })
      .optional(),
  }),
});
type Node = z.output<typeof discoveryRequest>['node'];

/** From this release on Envoy chooses anew before each attempt; one that is older refuses routes that say so. */
const planning = { major: 1, minor: 40 };

/** The pods of an earlier day may have the Envoy of that day. */
function canTryInTurn({ user_agent_build_version }: Node): boolean {
  const { major_number: major = 0, minor_number: minor = 0 } = user_agent_build_version?.version ?? {};
  return major > planning.major || (major === planning.major && minor >= planning.minor);
}

/** What the answers are made from, as it is now. */
export interface XdsState {
  config: KubernetesConfig;
  providers: Config['providers'];
  models: Config['models'];
  onFailure: EnvoyInputs['onFailure'];
  /** PEM by provider, where the public roots do not vouch for it. */
  rootsOf: ReadonlyMap<string, string>;
  certificates: Certificates;
}

/** Configuration that is kept ready; sidecars that ask for the same get the same. */
const remembered = 256;

/**
 * Answers sidecars and gateways over REST xDS. Each shows the token of its pod: the certificate for the LLM
 * hosts is for nobody else. What cannot be answered leaves them as they are.
 */
export function createSidecarXds(options: { state: () => XdsState; workloads: ReadWorkload }) {
  const { state, workloads } = options;
  let made = new Map<string, Resources>();
  let madeFrom: XdsState | null = null;

  function resourcesFor(node: Node): Resources | null {
    const now = state();
    if (madeFrom !== now || made.size > remembered) {
      madeFrom = now;
      made = new Map();
    }
    const isPlanned = canTryInTurn(node);
    const name = JSON.stringify([node.cluster, node.metadata, isPlanned]);
    const known = made.get(name);
    if (known) return known;
    const told = isPlanned ? now : { ...now, models: {} };
    const fresh = node.cluster === 'weir-gateway' ? forGateway(told) : forSidecar(told, node.metadata);
    if (fresh) made.set(name, fresh);
    return fresh;
  }

  return async ({ method, path, headers, body }: Asked): Promise<Answered> => {
    const kind = /^\/v3\/discovery:(\w+)$/.exec(path)?.[1];
    if (method !== 'POST' || !kind || !isKind(kind)) return { status: 404 };
    if (!(await readBearer(headers.authorization, workloads))) return { status: 401 };
    const asked = discoveryRequest.safeParse(JSON.parse(body));
    if (!asked.success) return { status: 400 };
    const all = resourcesFor(asked.data.node)?.[kind];
    if (!all) return { status: 409 };
    const { resource_names } = asked.data;
    const answer = resource_names.length > 0 ? narrow(all, kind, resource_names) : all;
    if (answer.version_info === asked.data.version_info) return { status: 304 };
    return { status: 200, body: JSON.stringify(answer) };
  };
}

/** Of routes and secrets Envoy takes what it has asked for, and nothing else. */
function narrow(all: Discovery, kind: Kind, names: string[]): Discovery {
  const wanted = all.resources.filter((each) => names.includes(String(Object(each).name)));
  return wanted.length === all.resources.length ? all : discovery(kind, wanted);
}

/** Names of weir's Services, as their certificates bear them. */
export function serviceNames({ name, namespace }: Pick<KubernetesConfig, 'name' | 'namespace'>) {
  const of = (part: string) => `${name}-${part}.${namespace}.svc`;
  return { injector: of('injector'), processor: of('processor'), collector: of('collector') };
}

function remote({ config, certificates }: XdsState) {
  const names = serviceNames(config);
  return {
    processor: { host: names.processor, port: config.processor_port },
    collector: { host: names.collector, port: config.collector_port },
    trust: certificates.services.map(({ cert }) => cert).join(''),
    rootsFile: `${proxyDirectory}/${podFiles.roots}`,
  };
}

/** null: the pod trusts an authority that is not here any more; what it has must do until it restarts. */
function forSidecar(state: XdsState, metadata: unknown): Resources | null {
  const node = sidecarNode.safeParse(metadata);
  if (!node.success) return null;
  const { authority, providers: additional, port, ipv6, on_failure } = node.data;
  const trusted = state.certificates.intercept.find(({ cert }) => fingerprintOf(cert) === authority);
  if (!trusted) return null;
  const now = state.config.providers ?? Object.keys(state.providers);
  const hosts = interceptedHosts(state.providers, [...now, ...additional]);
  return sidecarResources({
    ...remote(state),
    providers: state.providers,
    models: state.models,
    rootsOf: state.rootsOf,
    onFailure: on_failure ?? state.onFailure,
    leaf: trusted.leaf,
    // A host that came later than the pod's authority is read from the pod's next start on.
    intercepted: new Map([...hosts].filter(([host]) => trusted.leaf.hosts.includes(host))),
    port,
    ipv6,
  });
}

/** In Envoy's official images. */
const imageRoots = '/etc/ssl/certs/ca-certificates.crt';

function forGateway(state: XdsState): Resources {
  return gatewayResources({
    ...remote(state),
    providers: state.providers,
    models: state.models,
    rootsOf: state.rootsOf,
    onFailure: state.onFailure,
    rootsFile: imageRoots,
    egress: { host: '0.0.0.0', port: 10_000 },
  });
}
