import { type Json, names } from './inputs.ts';

const exchangeId = `%DYNAMIC_METADATA(${names.metadata}:exchange_id)%`;

/** What the second witness tells; the collector reads it in src/collector/witness.ts. */
const attributes: Record<string, string> = {
  'weir.exchange.id': exchangeId,
  start_time: '%START_TIME(%Y-%m-%dT%H:%M:%S.%6fZ)%',
  method: '%REQ(:METHOD)%',
  path: '%PATH(NQ:ORIG_OR_PATH)%',
  authority: '%REQ(:AUTHORITY)%',
  status: '%RESPONSE_CODE%',
  response_flags: '%RESPONSE_FLAGS%',
  code_details: '%RESPONSE_CODE_DETAILS%',
  upgrade: '%REQ(UPGRADE)%',
  bytes_received: '%BYTES_RECEIVED%',
  bytes_sent: '%BYTES_SENT%',
  duration_ms: '%DURATION%',
  upstream_cluster: '%UPSTREAM_CLUSTER_RAW%',
  upstream_host: '%UPSTREAM_HOST%',
};

/**
 * The access log goes to the collector, for what ext_proc cannot see: calls that ended out of the
 * ordinary, upgrades, and calls of which no processor decided.
 */
export function accessLog(): Json {
  return {
    name: 'envoy.access_loggers.open_telemetry',
    filter: {
      or_filter: {
        filters: [
          { response_flag_filter: {} },
          { header_filter: { header: { name: 'upgrade', present_match: true } } },
          {
            metadata_filter: {
              matcher: {
                filter: names.metadata,
                path: [{ key: 'decided' }],
                // Never matches: what has the key is left out, what lacks it is taken.
                value: { present_match: false },
              },
              match_if_key_not_found: true,
            },
          },
        ],
      },
    },
    typed_config: {
      '@type':
        'type.googleapis.com/envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig',
      grpc_service: { envoy_grpc: { cluster_name: names.otlpCluster }, timeout: '5s' },
      log_name: 'weir',
      buffer_flush_interval: '0.2s',
      buffer_size_bytes: 65_536,
      disable_builtin_labels: true,
      attributes: {
        values: Object.entries(attributes).map(([key, value]) => ({ key, value: { string_value: value } })),
      },
    },
  };
}
