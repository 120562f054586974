import { serversOf } from '../config/models.ts';
import type { ProviderConfig } from '../config/schema.ts';
import {
  http2,
  httpOptions,
  pipeCluster,
  providerCluster,
  stripInternalHeaders,
  upstreamCodec,
} from './clusters.ts';
import { any, type EnvoyInputs, extension, type Json, names } from './inputs.ts';
import { processing } from './listener.ts';

/** A processor holds a plain answer's head until it is whole. */
const messageTimeout = '1800s';

/** Which of the processors beside Envoy has a call; null: one elsewhere, which has told its address. */
export type Meeting = number | null;

/** The providers of all plans. */
export function plannedProviders(models: EnvoyInputs['models']): string[] {
  const planned = Object.values(models).flatMap((model) => serversOf(model).map(({ provider }) => provider));
  return [...new Set(planned)];
}

/**
 * A call that several may serve: each attempt goes to the group of its number in the order that the call's own
 * metadata tells. Envoy chooses anew before each (`refresh_cluster_on_retry`, since 1.39).
 */
export function planRoute(
  models: EnvoyInputs['models'],
  processors: readonly Meeting[],
  patient: Record<string, Json>,
): Json {
  const specifiers = 'envoy.extensions.router.cluster_specifiers';
  const type = `${specifiers}.priority_group.v3.PriorityGroupClusterSpecifier`;
  const clusters = processors.flatMap((processor) =>
    plannedProviders(models).map((provider) => names.attemptCluster(processor, provider)),
  );
  return {
    match: { prefix: '/', headers: [{ name: names.planHeader, present_match: true }] },
    route: {
      inline_cluster_specifier_plugin: {
        extension: extension('envoy.router.cluster_specifier_plugin.priority_group', type, {
          priority_groups: clusters.map((name) => ({
            name,
            clusters: [{ cluster_name: name, weight: 1 }],
          })),
          override_metadata_namespace: names.planMetadata,
        }),
      },
      auto_host_rewrite: true,
      retry_policy: {
        retry_on: '5xx,reset,connect-failure,refused-stream,retriable-status-codes',
        retriable_status_codes: [408, 429],
        // Each call tells its own, and none is longer.
        num_retries: Math.max(1, longestPlan(models) - 1),
        refresh_cluster_on_retry: true,
        // The next is another provider: there is nothing to wait for.
        retry_back_off: { base_interval: '0.001s', max_interval: '0.010s' },
      },
      ...patient,
    },
  };
}

function longestPlan(models: EnvoyInputs['models']): number {
  return Math.max(0, ...Object.values(models).map((model) => serversOf(model).length));
}

/** The processors one by one, and the providers of all plans, for each of them. */
export function attemptClusters(inputs: EnvoyInputs): Json[] {
  if (plannedProviders(inputs.models).length === 0) return [];
  const rootsOf = (_: string, { ca_file }: ProviderConfig) => ({ filename: ca_file ?? inputs.rootsFile });
  return inputs.processors.flatMap(({ socket }, processor) => [
    ownProcessorCluster(socket, processor),
    ...plannedClusters(inputs, processor, rootsOf),
  ]);
}

/** The providers of all plans, for attempts whose calls this processor has. */
export function plannedClusters(
  { models, providers }: Pick<EnvoyInputs, 'models' | 'providers'>,
  processor: Meeting,
  rootsOf: (name: string, provider: ProviderConfig) => Json,
): Json[] {
  const planned = new Set(plannedProviders(models));
  return Object.entries(providers)
    .filter(([name]) => planned.has(name))
    .map(([name, provider]) => attemptCluster(name, provider, processor, rootsOf(name, provider)));
}

function ownProcessorCluster(path: string, processor: number): Json {
  return {
    ...pipeCluster(names.ownProcessorCluster(processor), [path]),
    circuit_breakers: { thresholds: [{ max_requests: 100_000, max_pending_requests: 100_000 }] },
    typed_extension_protocol_options: http2,
  };
}

/** Fails closed: without its processor an attempt has neither the right key nor the right words. */
function attemptFilter(processor: Meeting): Json {
  return extension(
    'envoy.filters.http.ext_proc',
    'envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor',
    {
      grpc_service: {
        envoy_grpc: { cluster_name: names.ownProcessorCluster(processor) },
        initial_metadata: [
          { key: 'x-weir-filter', value: 'attempt' },
          ...(processor === null
            ? [{ key: names.processorHeader, value: `%DYNAMIC_METADATA(${names.metadata}:processor)%` }]
            : []),
        ],
      },
      failure_mode_allow: false,
      ...processing,
      message_timeout: messageTimeout,
      // Whether an answer comes at all is seen in its body: the head waits for that.
      send_body_without_waiting_for_header_response: true,
      processing_mode: {
        request_header_mode: 'SEND',
        request_body_mode: 'BUFFERED',
        response_header_mode: 'SEND',
        response_body_mode: 'STREAMED',
        request_trailer_mode: 'SKIP',
        response_trailer_mode: 'SEND',
      },
    },
  );
}

function attemptCluster(provider: string, config: ProviderConfig, processor: Meeting, roots: Json): Json {
  const name = names.attemptCluster(processor, provider);
  const plain = Object.assign({}, providerCluster(provider, config, roots));
  const tls = new URL(config.base_url).protocol === 'https:';
  const http_filters = [attemptFilter(processor), stripInternalHeaders, upstreamCodec];
  return Object.assign(plain, {
    name,
    // Of several addresses, one that is out of order is left alone.
    outlier_detection: {
      split_external_local_origin_errors: true,
      consecutive_local_origin_failure: 3,
      interval: '1s',
      base_ejection_time: '10s',
      max_ejection_percent: 100,
    },
    typed_extension_protocol_options: {
      [httpOptions]: any(
        httpOptions,
        tls
          ? { auto_config: { http_protocol_options: {}, http2_protocol_options: {} }, http_filters }
          : { explicit_http_config: { http_protocol_options: {} }, http_filters },
      ),
    },
  });
}
