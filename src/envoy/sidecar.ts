import type { Config } from '../config/schema.ts';
import { connectionLog } from './connection-log.ts';
import { type EnvoyInputs, extension, type Json, names, socketAddress } from './inputs.ts';
import { connectionManager, maxBodyBytes } from './listener.ts';
import { type Remote, remoteClusters, sds, trustOf } from './remote.ts';
import { discovery, type Resources } from './resources.ts';
import { interceptedRoutes } from './routes.ts';

/** A certificate with its key, in PEM. */
interface TlsPair {
  cert: string;
  key: string;
}

/** What the configuration of a sidecar is made from. */
export interface SidecarInputs extends Remote {
  /** By host, the provider whose calls are intercepted there. */
  intercepted: ReadonlyMap<string, string>;
  onFailure: EnvoyInputs['onFailure'];
  /** Vouches for the intercepted hosts; by an authority that the pod trusts. */
  leaf: TlsPair;
  /** The port that connections are redirected to. */
  port: number;
  /** The pod has an IPv6 loopback. */
  ipv6: boolean;
}

/** All of a sidecar's configuration but its bootstrap. */
export function sidecarResources(inputs: SidecarInputs): Resources {
  const intercepted = [...new Set(inputs.intercepted.values())];
  return {
    listeners: discovery('listeners', intercepted.length > 0 ? [interceptListener(inputs)] : []),
    routes: discovery(
      'routes',
      intercepted.map((provider) => interceptedRoutes(provider, inputs.models)),
    ),
    clusters: discovery('clusters', remoteClusters(inputs)),
    secrets: discovery('secrets', [
      {
        name: names.leafSecret,
        tls_certificate: {
          certificate_chain: { inline_string: inputs.leaf.cert },
          private_key: { inline_string: inputs.leaf.key },
        },
      },
      { name: names.trustSecret, ...trustOf(inputs) },
    ]),
  };
}

/** Tells where a redirected connection was going, and to whom: the name in its TLS handshake. */
export const whereTo: Json = [
  extension(
    'envoy.filters.listener.original_dst',
    'envoy.extensions.filters.listener.original_dst.v3.OriginalDst',
  ),
  extension(
    'envoy.filters.listener.tls_inspector',
    'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector',
  ),
];

/** Byte for byte, unread. */
export const passOn: Json = extension(
  'envoy.filters.network.tcp_proxy',
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
  { stat_prefix: 'passed', cluster: names.passCluster, idle_timeout: '0s' },
);

/**
 * Takes the connections over from the listener of the bootstrap, which passes everything on: to the kernel an
 * address is nearer than all addresses. Hosts of providers are read; everything else goes on as it came.
 */
function interceptListener(inputs: SidecarInputs): Json {
  const { port, ipv6 } = inputs;
  const hosts = Map.groupBy(inputs.intercepted.keys(), (host) => inputs.intercepted.get(host) ?? '');
  return {
    name: 'intercept',
    address: socketAddress({ host: '127.0.0.1', port }),
    ...(ipv6 && { additional_addresses: [{ address: socketAddress({ host: '::1', port }) }] }),
    per_connection_buffer_limit_bytes: maxBodyBytes,
    listener_filters: whereTo,
    listener_filters_timeout: '5s',
    // Who says nothing at once may be waiting for the server to speak.
    continue_on_listener_filters_timeout: true,
    access_log: [connectionLog([...inputs.intercepted.keys()])],
    filter_chains: [...hosts].map(([provider, names]) => interceptChain(inputs, provider, names)),
    default_filter_chain: { name: 'pass', filters: [passOn] },
  };
}

function interceptChain(inputs: SidecarInputs, provider: string, hosts: string[]): Json {
  return {
    name: names.interceptedRoutes(provider),
    filter_chain_match: { server_names: hosts, transport_protocol: 'tls' },
    transport_socket: extension(
      'envoy.transport_sockets.tls',
      'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
      {
        common_tls_context: {
          alpn_protocols: ['h2', 'http/1.1'],
          tls_certificate_sds_secret_configs: [sds(names.leafSecret)],
        },
      },
    ),
    filters: [
      connectionManager(inputs, {
        statPrefix: 'intercepted',
        routes: names.interceptedRoutes(provider),
        marks: { [names.providerHeader]: provider },
      }),
    ],
  };
}

/** The hosts of providers that can be told by a name in a TLS handshake; of two with one host the first. */
export function interceptedHosts(
  providers: Config['providers'],
  chosen: readonly string[],
): Map<string, string> {
  const hosts = new Map<string, string>();
  for (const [name, { base_url }] of Object.entries(providers)) {
    const { protocol, hostname } = new URL(base_url);
    const isName = !/^[\d.]+$|^\[/.test(hostname);
    if (protocol === 'https:' && isName && chosen.includes(name) && !hosts.has(hostname))
      hosts.set(hostname, name);
  }
  return hosts;
}
