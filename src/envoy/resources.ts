import { createHash } from 'node:crypto';
import { attemptClusters } from './attempts.ts';
import { grpcClusters, otlpCluster, processorCluster, providerCluster, relayClusters } from './clusters.ts';
import type { EnvoyInputs, Json } from './inputs.ts';
import { egressListener } from './listener.ts';
import { routeConfiguration } from './routes.ts';

/** The kinds of resources, as they are named in the path `/v3/discovery:<kind>`. */
export const kinds = {
  listeners: 'envoy.config.listener.v3.Listener',
  routes: 'envoy.config.route.v3.RouteConfiguration',
  clusters: 'envoy.config.cluster.v3.Cluster',
  secrets: 'envoy.extensions.transport_sockets.tls.v3.Secret',
} as const;
export type Kind = keyof typeof kinds;

/** An answer to a discovery request. Its version is a hash of its content: same content, same version. */
export interface Discovery {
  version_info: string;
  type_url: string;
  resources: Json[];
}

export type Resources = Readonly<Record<Kind, Discovery>>;

/** All of Envoy's configuration but the bootstrap: a pure function of the config. */
export function resources(inputs: EnvoyInputs): Resources {
  return {
    listeners: discovery('listeners', [egressListener(inputs)]),
    routes: discovery('routes', [routeConfiguration(inputs, [...inputs.processors.keys()])]),
    secrets: discovery('secrets', []),
    clusters: discovery('clusters', [
      processorCluster(inputs),
      ...relayClusters(inputs),
      otlpCluster(inputs),
      ...Object.entries(inputs.providers).flatMap(([name, provider]) => {
        const roots = { filename: provider.ca_file ?? inputs.rootsFile };
        return [providerCluster(name, provider, roots), ...grpcClusters(name, provider, roots)];
      }),
      ...attemptClusters(inputs),
    ]),
  };
}

export function isKind(text: string): text is Kind {
  return Object.hasOwn(kinds, text);
}

export function discovery(kind: Kind, values: Json[]): Discovery {
  const type_url = `type.googleapis.com/${kinds[kind]}`;
  const typed = values.map((value) => Object.assign({ '@type': type_url }, value));
  const version_info = createHash('sha256').update(JSON.stringify(typed)).digest('hex').slice(0, 16);
  return { version_info, type_url, resources: typed };
}
