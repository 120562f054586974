import { type Json, names } from './inputs.ts';

/** What hosts of LLM providers have in their names, whether weir knows them or not. */
const llmLooking = [
  ...['openai', 'anthropic', 'claude', 'gemini', 'generativelanguage', 'aiplatform', 'mistral', 'cohere'],
  ...['groq', 'together.', 'fireworks', 'deepseek', 'openrouter', 'perplexity', 'bedrock-runtime'],
  ...['replicate', 'cerebras', 'huggingface', 'ai21', 'voyageai', 'moonshot', 'dashscope', '.x.ai', 'llm'],
];

/** What is told of a connection; the collector reads it in src/collector/connections.ts. */
const attributes: Record<string, string> = {
  'weir.connection': '%FILTER_CHAIN_NAME%',
  host: '%REQUESTED_SERVER_NAME%',
  destination: '%DOWNSTREAM_LOCAL_ADDRESS%',
  refused: '%DOWNSTREAM_TRANSPORT_FAILURE_REASON%',
  flags: '%RESPONSE_FLAGS%',
  // Within TLS, where that is weir's.
  received: '%BYTES_RECEIVED%',
  milliseconds: '%DURATION%',
};

/** Connections to hosts that are known to be LLM providers' or look like it: read, refused, or passed unread. */
export function connectionLog(hosts: readonly string[]): Json {
  const name = 'connection.requested_server_name';
  const known = `${name} in [${hosts.map((host) => `'${host}'`).join(', ')}]`;
  // One regular expression of them all is more than Envoy takes.
  const looking = llmLooking.map((part) => `${name}.contains('${part}')`);
  return {
    name: 'envoy.access_loggers.open_telemetry',
    filter: {
      extension_filter: {
        name: 'envoy.access_loggers.extension_filters.cel',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter',
          expression: [known, ...looking].join(' || '),
        },
      },
    },
    typed_config: {
      '@type':
        'type.googleapis.com/envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig',
      grpc_service: { envoy_grpc: { cluster_name: names.otlpCluster }, timeout: '5s' },
      log_name: 'weir',
      buffer_flush_interval: '0.2s',
      disable_builtin_labels: true,
      attributes: {
        values: Object.entries(attributes).map(([key, value]) => ({ key, value: { string_value: value } })),
      },
    },
  };
}
