import { isIP } from 'node:net';
import type { ProviderConfig } from '../config/schema.ts';
import { any, type EnvoyInputs, extension, type Json, names, socketAddress } from './inputs.ts';

export const httpOptions = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
/** Envoy's default of 1,024 parallel calls would turn a busy day into 503s. */
const roomy = {
  thresholds: [
    { max_connections: 100_000, max_pending_requests: 100_000, max_requests: 100_000, max_retries: 10_000 },
  ],
};

/**
 * How much is read of a provider at once. It is how large the chunks of a stream come to the processor when
 * they come faster than they go: Envoy's default of 1 MiB would be held for each of a thousand streams.
 */
const readBytes = 32 * 1024;

export const upstreamCodec = extension(
  'envoy.filters.http.upstream_codec',
  'envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec',
);

export const http2 = {
  [httpOptions]: any(httpOptions, { explicit_http_config: { http2_protocol_options: {} } }),
};

/** No header of weir's or Envoy's own leaves the house, whoever put it there. */
export const stripInternalHeaders = extension(
  'envoy.filters.http.header_mutation',
  'envoy.extensions.filters.http.header_mutation.v3.HeaderMutation',
  {
    mutations: {
      request_mutations: ['x-weir-', 'x-envoy-', 'x-forwarded-proto'].map((prefix) => ({
        remove_on_match: { key_matcher: { prefix } },
      })),
    },
  },
);

const upstreamHttp = {
  [httpOptions]: any(httpOptions, {
    auto_config: { http_protocol_options: {}, http2_protocol_options: {} },
    http_filters: [stripInternalHeaders, upstreamCodec],
  }),
};

/** Without TLS there is no ALPN to choose the protocol by. */
const upstreamPlain = (protocol: 'http_protocol_options' | 'http2_protocol_options') => ({
  [httpOptions]: any(httpOptions, {
    explicit_http_config: { [protocol]: {} },
    http_filters: [stripInternalHeaders, upstreamCodec],
  }),
});

/** One cluster a provider: its host resolved by DNS, its certificate verified by `roots`, a DataSource. */
export function providerCluster(name: string, provider: ProviderConfig, roots: Json): Json {
  const url = new URL(provider.base_url);
  const tls = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port) || (tls ? 443 : 80);
  return {
    name: names.providerCluster(name),
    type: 'STRICT_DNS',
    dns_lookup_family: 'ALL',
    connect_timeout: '10s',
    load_assignment: {
      cluster_name: names.providerCluster(name),
      endpoints: [
        {
          lb_endpoints: [
            // The hostname is what auto_host_rewrite writes into the Host header.
            { endpoint: { hostname: url.host, address: socketAddress({ host, port }) } },
          ],
        },
      ],
    },
    circuit_breakers: roomy,
    per_connection_buffer_limit_bytes: readBytes,
    upstream_connection_options: {
      tcp_keepalive: { keepalive_time: 30, keepalive_interval: 15, keepalive_probes: 4 },
    },
    typed_extension_protocol_options: tls ? upstreamHttp : upstreamPlain('http_protocol_options'),
    ...(tls && {
      transport_socket: extension(
        'envoy.transport_sockets.tls',
        'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
        {
          // What `auto_sni` finds holds for all attempts of a call: the first one's name.
          sni: host,
          common_tls_context: {
            alpn_protocols: ['h2', 'http/1.1'],
            validation_context: {
              trusted_ca: roots,
              // The provider's own name, whatever the caller has called weir's by.
              match_typed_subject_alt_names: [
                { san_type: isIP(host) ? 'IP_ADDRESS' : 'DNS', matcher: { exact: host } },
              ],
            },
          },
        },
      ),
    }),
  };
}

/** Of a provider without TLS, for gRPC; with it HTTP/2 is chosen in the handshake. */
export function grpcClusters(name: string, provider: ProviderConfig, roots: Json): Json[] {
  if (!provider.base_url.startsWith('http:')) return [];
  const own = {
    name: names.grpcCluster(name),
    typed_extension_protocol_options: upstreamPlain('http2_protocol_options'),
  };
  return [Object.assign({}, providerCluster(name, provider, roots), own)];
}

export const balanced = {
  lb_policy: 'LEAST_REQUEST',
  // Envoy's second would give calls to those alone who have left meanwhile, and none to those who are back.
  common_lb_config: { update_merge_window: '0s' },
  circuit_breakers: roomy,
  outlier_detection: {
    split_external_local_origin_errors: true,
    consecutive_local_origin_failure: 2,
    interval: '1s',
    base_ejection_time: '1s',
    // Or one that has been restarted often would stay out for minutes.
    max_ejection_time: '2s',
    // Of two, one: Envoy's default of a tenth would be none.
    max_ejection_percent: 100,
  },
};

/** Of those who listen on Unix sockets here. */
export function pipeCluster(name: string, paths: readonly string[]) {
  const endpoints = paths.map((path) => ({ endpoint: { address: { pipe: { path } } } }));
  return {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: endpoints }] },
  };
}

/** The processors on this machine, balanced by request; a dead one is left out within a second. */
export function processorCluster({ processors }: Pick<EnvoyInputs, 'processors'>): Json {
  const sockets = processors.map(({ socket }) => socket);
  return {
    ...pipeCluster(names.processorCluster, sockets),
    ...balanced,
    typed_extension_protocol_options: http2,
  };
}

/** Where each processor gives streams of its own: the one that has them must be met. */
export function relayClusters({ processors }: EnvoyInputs): Json[] {
  return processors.map(({ relay }, index) => ({
    ...pipeCluster(names.relayCluster(index), [relay]),
    circuit_breakers: roomy,
    per_connection_buffer_limit_bytes: readBytes,
    typed_extension_protocol_options: upstreamPlain('http_protocol_options'),
  }));
}

/** The collector, for the access log. */
export function otlpCluster({ otlpGrpc }: EnvoyInputs): Json {
  return {
    name: names.otlpCluster,
    type: 'STRICT_DNS',
    connect_timeout: '2s',
    load_assignment: {
      cluster_name: names.otlpCluster,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(otlpGrpc) } }] }],
    },
    typed_extension_protocol_options: http2,
  };
}
