import type { Json } from './inputs.ts';

/** Envoy's own refusals, with the code that weir gives them in `x-weir-error`. */
const statuses: readonly { status: number; code: string; openai: string; anthropic: string }[] = [
  { status: 404, code: 'unknown_path', openai: 'invalid_request_error', anthropic: 'not_found_error' },
  { status: 413, code: 'request_too_large', openai: 'invalid_request_error', anthropic: 'request_too_large' },
  { status: 500, code: 'internal_error', openai: 'server_error', anthropic: 'api_error' },
  { status: 502, code: 'upstream_unavailable', openai: 'server_error', anthropic: 'api_error' },
  { status: 503, code: 'upstream_unavailable', openai: 'server_error', anthropic: 'overloaded_error' },
  { status: 504, code: 'upstream_timeout', openai: 'server_error', anthropic: 'timeout_error' },
];

/** Answers of the processor are made whole by it and carry these details. */
export const answeredDetails = 'weir_answer';

const notAnswered = {
  extension_filter: {
    name: 'envoy.access_loggers.extension_filters.cel',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter',
      expression: `!response.code_details.contains('${answeredDetails}')`,
    },
  },
};

const pathStarts = (prefix: string) => ({
  header_filter: { header: { name: ':path', string_match: { prefix } } },
});

/** As Google's SDK for Python writes it (src/dialects/target.ts). */
const googlePath = {
  header_filter: {
    header: {
      name: ':path',
      string_match: { safe_regex: { regex: '/v1/models/[^/:?]+:[A-Za-z]+(?:\\?.*)?' } },
    },
  },
};

/** Error bodies of Envoy's own (too large, no upstream, no processor) in the dialect of the caller. */
export function localReplies(): Json {
  return {
    mappers: statuses.flatMap(({ status, code, openai, anthropic }) => {
      const mapper = (filters: Json[], body: Json) => ({
        filter: { and_filter: { filters: [statusIs(status), notAnswered, ...filters] } },
        headers_to_add: [{ header: { key: 'x-weir-error', value: code } }],
        body_format_override: { json_format: body, content_type: 'application/json' },
      });
      const message = 'weir: %LOCAL_REPLY_BODY%';
      return [
        mapper([pathStarts('/v1/messages')], { type: 'error', error: { type: anthropic, message } }),
        ...[pathStarts('/v1beta/'), googlePath].map((path) =>
          mapper([path], { error: { code: status, message, status: code.toUpperCase() } }),
        ),
        mapper([{ header_filter: { header: { name: ':path', present_match: true } } }], {
          error: { message, type: openai, param: null, code },
        }),
      ];
    }),
  };
}

function statusIs(status: number): Json {
  return {
    status_code_filter: {
      comparison: { op: 'EQ', value: { default_value: status, runtime_key: `weir.status.${status}` } },
    },
  };
}
