import type { Address, Config } from '../config/schema.ts';
import { plannedClusters, plannedProviders } from './attempts.ts';
import { balanced, grpcClusters, httpOptions, providerCluster, upstreamCodec } from './clusters.ts';
import { any, extension, type Json, names, socketAddress } from './inputs.ts';
import { xdsSource } from './listener.ts';

/** Where an Envoy elsewhere in the cluster finds weir: Services, whose certificates bear their names. */
export interface Remote {
  processor: Address;
  collector: Address;
  /** PEM of the authorities of those Services. */
  trust: string;
  providers: Config['providers'];
  /** Those that several may serve are tried one after the other; none where this Envoy cannot do so. */
  models: Config['models'];
  /** PEM of the roots that vouch for a provider, where they are not the public ones. */
  rootsOf: ReadonlyMap<string, string>;
  /** File of the public roots beside that Envoy. */
  rootsFile: string;
}

/** The clusters of an Envoy elsewhere: weir's Services, and the providers. */
export function remoteClusters(remote: Remote): Json[] {
  const { processor, collector, providers, models, rootsOf, rootsFile } = remote;
  const roots = (name: string): Json => {
    const own = rootsOf.get(name);
    return own === undefined ? { filename: rootsFile } : { inline_string: own };
  };
  return [
    serviceCluster(names.processorCluster, processor, { trust: 'xds' }),
    serviceCluster(names.otlpCluster, collector, { trust: 'xds' }),
    ...Object.entries(providers).flatMap(([name, provider]) => [
      providerCluster(name, provider, roots(name)),
      ...grpcClusters(name, provider, roots(name)),
    ]),
    ...(plannedProviders(models).length > 0 ? [toldProcessor(processor)] : []),
    ...plannedClusters(remote, null, roots),
  ];
}

/**
 * Of all processors the one that has the call, at the address that it told. Whoever is met there must show the
 * certificate of the Service.
 */
function toldProcessor(processor: Address): Json {
  const name = names.ownProcessorCluster(null);
  const {
    load_assignment: _,
    outlier_detection: __,
    ...service
  } = serviceCluster(name, processor, {
    trust: 'xds',
  });
  return {
    ...service,
    type: 'ORIGINAL_DST',
    lb_policy: 'CLUSTER_PROVIDED',
    original_dst_lb_config: { use_http_header: true, http_header_name: names.processorHeader },
  };
}

/** The secret by which weir's Services are trusted. */
export function trustOf({ trust }: Pick<Remote, 'trust'>): Record<string, Json> {
  return { validation_context: { trusted_ca: { inline_string: trust } } };
}

/** A secret that comes by xDS. */
export function sds(name: string): Json {
  return { name, sds_config: xdsSource };
}

/** The secret in the bootstrap that holds the service-account token of the pod. */
export const tokenSecret = 'token';

/** Puts the token on each request: by it weir knows the workload. */
const showToken = extension(
  'envoy.filters.http.credential_injector',
  'envoy.extensions.filters.http.credential_injector.v3.CredentialInjector',
  {
    overwrite: true,
    credential: {
      name: 'envoy.http.injected_credentials.generic',
      typed_config: any('envoy.extensions.http.injected_credentials.generic.v3.Generic', {
        header: 'authorization',
        header_value_prefix: 'Bearer ',
        credential: { name: tokenSecret },
      }),
    },
  },
);

/** Who vouches for a Service: a secret that comes by xDS, or, before that can come, a file. */
type Trust = 'xds' | { filename: string };

function validation(host: string, trust: Trust): Record<string, Json> {
  const bearing = { match_typed_subject_alt_names: [{ san_type: 'DNS', matcher: { exact: host } }] };
  if (trust !== 'xds') return { validation_context: { trusted_ca: trust, ...bearing } };
  return {
    combined_validation_context: {
      default_validation_context: bearing,
      validation_context_sds_secret_config: sds(names.trustSecret),
    },
  };
}

/** A Service of weir's: every pod behind it, over TLS, with the token. */
export function serviceCluster(
  name: string,
  { host, port }: Address,
  { trust, protocol = 'http2_protocol_options' }: { trust: Trust; protocol?: string },
): Record<string, Json> {
  return {
    name,
    type: 'STRICT_DNS',
    dns_lookup_family: 'ALL',
    connect_timeout: '2s',
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress({ host, port }) } }] }],
    },
    ...balanced,
    typed_extension_protocol_options: {
      [httpOptions]: any(httpOptions, {
        explicit_http_config: { [protocol]: {} },
        http_filters: [showToken, upstreamCodec],
      }),
    },
    transport_socket: extension(
      'envoy.transport_sockets.tls',
      'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
      {
        sni: host,
        common_tls_context: {
          alpn_protocols: [protocol === 'http2_protocol_options' ? 'h2' : 'http/1.1'],
          ...validation(host, trust),
        },
      },
    ),
  };
}
