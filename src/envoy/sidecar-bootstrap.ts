import type { Address } from '../config/schema.ts';
import { type Json, names, socketAddress } from './inputs.ts';
import { xdsSource } from './listener.ts';
import { serviceCluster, tokenSecret } from './remote.ts';
import { passOn, whereTo } from './sidecar.ts';

/** What the bootstrap of an Envoy beside a pod is made from. */
export interface BootstrapInputs {
  /** Shown to weir with each discovery request: what the pod asks of its configuration. */
  metadata: Record<string, Json>;
  cluster: 'weir-sidecar' | 'weir-gateway';
  xds: Address;
  /** File of the authorities that vouch for weir's Services. */
  trustFile: string;
  tokenFile: string;
  adminSocket: string;
  /** Where probes ask whether it is up. */
  readyPort: number;
  ipv6: boolean;
  intercept: {
    /** The port that connections are redirected to. */
    port: number;
    /** Hosts that must not be reached unread, also while weir has not answered yet. */
    closedHosts: readonly string[];
  } | null;
}

/** How long a starting sidecar waits for weir before it serves without: what is redirected then passes unread. */
const firstFetch = '5s';

/** Constant for the life of a pod; the rest comes by REST xDS, and stays while weir is away. */
export function remoteBootstrap(inputs: BootstrapInputs): Json {
  const source = { ...Object(xdsSource), initial_fetch_timeout: firstFetch };
  const trust = { filename: inputs.trustFile };
  const directory = inputs.tokenFile.replace(/\/[^/]*$/, '');
  return {
    node: { cluster: inputs.cluster, metadata: inputs.metadata },
    admin: { address: { pipe: { path: inputs.adminSocket, mode: 0o600 } } },
    dynamic_resources: { lds_config: source, cds_config: source },
    static_resources: {
      secrets: [
        {
          name: tokenSecret,
          generic_secret: {
            secret: { filename: inputs.tokenFile, watched_directory: { path: directory } },
          },
        },
      ],
      listeners: [
        readyListener(inputs),
        ...(inputs.intercept ? [firstListener(inputs.intercept, inputs.ipv6)] : []),
      ],
      clusters: [
        serviceCluster(names.xdsCluster, inputs.xds, { trust, protocol: 'http_protocol_options' }),
        {
          name: names.passCluster,
          type: 'ORIGINAL_DST',
          lb_policy: 'CLUSTER_PROVIDED',
          connect_timeout: '10s',
          circuit_breakers: { thresholds: [{ max_connections: 100_000, max_pending_requests: 100_000 }] },
        },
      ],
    },
  };
}

function everywhere(port: number, ipv6: boolean): Record<string, Json> {
  return {
    address: socketAddress({ host: '0.0.0.0', port }),
    ...(ipv6 && { additional_addresses: [{ address: socketAddress({ host: '::', port }) }] }),
  };
}

/** Answers 200 once the first configuration is here, or has been waited for long enough. */
function readyListener({ readyPort, ipv6 }: BootstrapInputs): Json {
  return {
    name: 'ready',
    ...everywhere(readyPort, ipv6),
    filter_chains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typed_config: {
              '@type':
                'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
              stat_prefix: 'ready',
              route_config: {
                virtual_hosts: [
                  {
                    name: 'ready',
                    domains: ['*'],
                    routes: [{ match: { path: '/ready' }, direct_response: { status: 200 } }],
                  },
                ],
              },
              http_filters: [
                {
                  name: 'envoy.filters.http.router',
                  typed_config: {
                    '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router',
                  },
                },
              ],
            },
          },
        ],
      },
    ],
  };
}

/**
 * Passes on what is redirected while weir has not answered yet. It listens everywhere, so that the listener
 * that comes by xDS, which listens on the loopback alone, is nearer and takes over; who calls it from outside,
 * whose connection was not redirected, is sent away.
 */
function firstListener(
  { port, closedHosts }: NonNullable<BootstrapInputs['intercept']>,
  ipv6: boolean,
): Json {
  const nowhere = (match: Record<string, Json>): Json => ({
    filter_chain_match: match,
    filters: [
      {
        name: 'envoy.filters.network.tcp_proxy',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
          stat_prefix: 'nowhere',
          cluster: 'nowhere',
        },
      },
    ],
  });
  return {
    name: 'first',
    ...everywhere(port, ipv6),
    listener_filters: whereTo,
    listener_filters_timeout: '5s',
    continue_on_listener_filters_timeout: true,
    filter_chains: [
      nowhere({ destination_port: port }),
      ...(closedHosts.length > 0 ? [nowhere({ server_names: [...closedHosts] })] : []),
    ],
    default_filter_chain: { filters: [passOn] },
  };
}
