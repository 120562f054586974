import { accessLog } from './access-log.ts';
import { type EnvoyInputs, extension, type Json, names, socketAddress } from './inputs.ts';
import { localReplies } from './replies.ts';

/** The largest request, and the largest plain reply, that is looked at: 50 MiB. */
export const maxBodyBytes = 50 * 1024 * 1024;
/** Longer than any provider thinks in silence. */
const idle = '1800s';

/** xDS over REST: Envoy asks once a second, weir answers with JSON (envoy: api/v3 discovery). */
export const xdsSource: Json = {
  resource_api_version: 'V3',
  api_config_source: {
    api_type: 'REST',
    transport_api_version: 'V3',
    cluster_names: [names.xdsCluster],
    refresh_delay: '1s',
    request_timeout: '5s',
  },
};

/** A processor's side of an attempt or an exchange: what both filters have in common. */
export const processing = {
  allow_mode_override: true,
  max_message_timeout: '1800s',
  mutation_rules: { allow_all_routing: { value: true }, allow_envoy: { value: true } },
};

/** The exchange filter: once a call, request whole, response as the processor asks for. */
function exchangeFilter(inputs: Pick<EnvoyInputs, 'onFailure'>, headersOnly: boolean): Json {
  return extension(
    'envoy.filters.http.ext_proc',
    'envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor',
    {
      grpc_service: {
        envoy_grpc: { cluster_name: names.processorCluster },
        retry_policy: {
          retry_on: 'connect-failure,refused-stream,reset,unavailable',
          num_retries: 3,
          retry_back_off: { base_interval: '0.025s', max_interval: '0.25s' },
          // Not the one that has just refused. It has the fewest requests, so that of two it is chosen three times
          // of four: what is chosen too often is taken in the end.
          retry_host_predicate: [
            extension(
              'envoy.retry_host_predicates.previous_hosts',
              'envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate',
            ),
          ],
          host_selection_retry_max_attempts: 50,
        },
      },
      failure_mode_allow: inputs.onFailure !== 'closed',
      ...processing,
      message_timeout: '5s',
      request_attributes: ['source.address'],
      response_attributes: ['response.code_details'],
      metadata_options: { receiving_namespaces: { untyped: [names.metadata, names.planMetadata] } },
      processing_mode: {
        request_header_mode: 'SEND',
        request_body_mode: headersOnly ? 'NONE' : 'BUFFERED',
        response_header_mode: 'SEND',
        response_body_mode: 'NONE',
        request_trailer_mode: 'SKIP',
        response_trailer_mode: 'SKIP',
      },
    },
  );
}

const router = extension('envoy.filters.http.router', 'envoy.extensions.filters.http.router.v3.Router', {
  suppress_envoy_headers: true,
});

/** Headers of these prefixes would be believed: retries, time-outs and hosts are weir's to choose. */
const notFromOutside = ['x-weir-internal-', 'x-envoy-'].map((prefix) => ({
  remove_on_match: { key_matcher: { prefix } },
}));

/** What reads HTTP, asks the processor, and sends on. `marks` are headers that it sets at the door. */
export function connectionManager(
  inputs: Pick<EnvoyInputs, 'onFailure'>,
  { statPrefix, routes, marks = {} }: { statPrefix: string; routes: string; marks?: Record<string, string> },
): Json {
  const appended = Object.entries(marks).map(([key, value]) => ({
    append: { header: { key, value }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' },
  }));
  return extension(
    'envoy.filters.network.http_connection_manager',
    'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    {
      stat_prefix: statPrefix,
      rds: { route_config_name: routes, config_source: xdsSource },
      use_remote_address: true,
      skip_xff_append: true,
      generate_request_id: false,
      preserve_external_request_id: true,
      server_header_transformation: 'PASS_THROUGH',
      normalize_path: true,
      stream_idle_timeout: idle,
      request_timeout: '0s',
      common_http_protocol_options: { idle_timeout: '3600s' },
      early_header_mutation_extensions: [
        extension(
          'envoy.http.early_header_mutation.header_mutation',
          'envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation',
          { mutations: [...notFromOutside, ...appended] },
        ),
      ],
      upgrade_configs: [{ upgrade_type: 'websocket', filters: [exchangeFilter(inputs, true), router] }],
      local_reply_config: localReplies(),
      access_log: [accessLog()],
      http_filters: [exchangeFilter(inputs, false), router],
    },
  );
}

/** The listener for calls in base-URL mode. Constant for a running weir: what changes comes by RDS and CDS. */
export function egressListener(inputs: Pick<EnvoyInputs, 'egress' | 'onFailure'>): Json {
  return {
    name: 'egress',
    address: socketAddress(inputs.egress),
    per_connection_buffer_limit_bytes: maxBodyBytes,
    filter_chains: [{ filters: [connectionManager(inputs, { statPrefix: 'egress', routes: names.routes })] }],
  };
}
