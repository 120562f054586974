import type { Address, Config } from '../config/schema.ts';

/** What Envoy's configuration is made from. */
export interface EnvoyInputs {
  egress: Address;
  providers: Config['providers'];
  models: Config['models'];
  onFailure: Config['processor']['on_failure'];
  /** Unix sockets of the processors: for what Envoy asks, and for the streams that it fetches for callers. */
  processors: { socket: string; relay: string }[];
  /** Where the access log goes: the collector's OTLP over gRPC. */
  otlpGrpc: Address;
  /** PEM file of the public roots, for providers without a `ca_file`. */
  rootsFile: string;
}

/** A value of JSON. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** Names that the bootstrap, the resources and the processor share. */
export const names = {
  /** The header by which the processor names the cluster; never accepted from outside. */
  clusterHeader: 'x-weir-internal-cluster',
  /** By it a sidecar says which provider an intercepted call is for; never accepted from outside. */
  providerHeader: 'x-weir-internal-provider',
  /** Set where several may serve a call. */
  planHeader: 'x-weir-internal-plan',
  /**
   * Whose attempt it is. What goes to one provider is what the next attempt begins with: this one header stays
   * on it.
   */
  exchangeHeader: 'x-exchange-id',
  processorCluster: 'weir-processor',
  /** The one that has a call: it decides of its attempts. null: by the address that it has told. */
  ownProcessorCluster: (processor: number | null) => `weir-processor-${processor ?? 'told'}`,
  /** To a processor elsewhere: the providers of all plans that this Envoy has, with commas. */
  plannedHeader: 'x-weir-planned',
  /** Whose address an attempt is sent to. */
  processorHeader: 'x-weir-processor',
  otlpCluster: 'weir-otlp',
  xdsCluster: 'weir-xds',
  routes: 'egress',
  interceptedRoutes: (provider: string) => `intercepted-${provider}`,
  /** In the sidecar: to where the application meant to go. */
  passCluster: 'pass',
  leafSecret: 'leaf',
  trustSecret: 'trust',
  /** Namespace of the dynamic metadata that the processor sets. */
  metadata: 'weir',
  /** Of that which tells the clusters of a call's attempts (PriorityGroupsOverride). */
  planMetadata: 'weir.plan',
  providerCluster: (provider: string) => `provider-${provider}`,
  /** For attempts: those of one processor at a provider. */
  attemptCluster: (processor: number | null, provider: string) =>
    `attempt-${processor ?? 'told'}-${provider}`,
  /** For gRPC to a provider without TLS, which is HTTP/2 from the start. */
  grpcCluster: (provider: string) => `grpc-${provider}`,
  relayCluster: (index: number) => `relay-${index}`,
} as const;

/** A protobuf Any in JSON. */
export function any(type: string, value: Record<string, Json>): Json {
  return { '@type': `type.googleapis.com/${type}`, ...value };
}

/** A named filter or extension. */
export function extension(name: string, type: string, value: Record<string, Json> = {}): Json {
  return { name, typed_config: any(type, value) };
}

export function socketAddress({ host, port }: Address): Json {
  return { socket_address: { address: host, port_value: port } };
}
