import type { ProviderConfig } from '../config/schema.ts';

/** The names that each family of dialects has for one kind of error. */
interface Kind {
  status: number;
  openai: string;
  anthropic: string;
  gemini: string;
  /** What OpenAI itself says in `code`, where it is not our own code. */
  openaiCode?: string;
  /** The exception of AWS. */
  bedrock?: string;
  /** Families that answer it with another status. */
  statuses?: Partial<Record<ProviderConfig['api'], number>>;
}

const invalid = {
  openai: 'invalid_request_error',
  anthropic: 'invalid_request_error',
  gemini: 'INVALID_ARGUMENT',
};
const unauthenticated = {
  openai: 'invalid_request_error',
  anthropic: 'authentication_error',
  gemini: 'UNAUTHENTICATED',
};

const tooMany = {
  status: 429,
  anthropic: 'rate_limit_error',
  gemini: 'RESOURCE_EXHAUSTED',
  bedrock: 'ThrottlingException',
};

const forbidden = {
  openai: 'invalid_request_error',
  anthropic: 'permission_error',
  gemini: 'PERMISSION_DENIED',
};

/** Every refusal of weir's on the data plane, by its stable code (`x-weir-error`). */
const codes = {
  invalid_json: { status: 400, ...invalid },
  not_translatable: { status: 400, ...invalid },
  invalid_routing: { status: 400, ...invalid },
  unknown_profile: { status: 400, ...invalid },
  no_model_able: { status: 400, ...invalid },
  invalid_header: { status: 400, ...invalid },
  invalid_api_key: { status: 401, ...unauthenticated },
  provider_key_missing: { status: 401, ...unauthenticated },
  workload_unknown: { status: 401, ...unauthenticated },
  provider_not_allowed: { status: 403, ...forbidden },
  model_not_allowed: { status: 403, ...forbidden },
  unknown_path: {
    status: 404,
    openai: 'invalid_request_error',
    anthropic: 'not_found_error',
    gemini: 'NOT_FOUND',
  },
  cache_miss: { status: 504, openai: 'server_error', anthropic: 'api_error', gemini: 'UNAVAILABLE' },
  rate_limit_exceeded: { ...tooMany, openai: 'requests' },
  token_limit_exceeded: { ...tooMany, openai: 'tokens', openaiCode: 'rate_limit_exceeded' },
  concurrency_limit_exceeded: { ...tooMany, openai: 'requests', openaiCode: 'rate_limit_exceeded' },
  request_too_large: { status: 413, ...invalid, anthropic: 'request_too_large' },
  max_output_tokens_exceeded: { status: 400, ...invalid },
  // Anthropic answers a spend limit that was reached, and AWS a quota, with 400.
  insufficient_quota: {
    ...tooMany,
    openai: 'insufficient_quota',
    anthropic: 'invalid_request_error',
    bedrock: 'ServiceQuotaExceededException',
    statuses: { anthropic: 400, bedrock: 400 },
  },
  budget_unavailable: {
    status: 503,
    openai: 'server_error',
    anthropic: 'overloaded_error',
    gemini: 'UNAVAILABLE',
    bedrock: 'ServiceUnavailableException',
  },
  model_unpriced: {
    status: 403,
    openai: 'invalid_request_error',
    anthropic: 'permission_error',
    gemini: 'PERMISSION_DENIED',
    bedrock: 'AccessDeniedException',
  },
  internal_error: { status: 500, openai: 'server_error', anthropic: 'api_error', gemini: 'INTERNAL' },
} satisfies Record<string, Kind>;

export type ErrorCode = keyof typeof codes;

/** Why weir does not let a call pass, and in `message` the way out. */
export interface Refusal {
  code: ErrorCode;
  message: string;
  /** Headers beyond those that every error has. */
  headers?: Record<string, string>;
  /** When it is worth another try. */
  retryAfterMs?: number;
  /** The limit or budget that refuses. */
  quota?: { name: string; limit: string };
}

type Api = ProviderConfig['api'];
const kinds: Record<ErrorCode, Kind> = codes;

export function refusalStatus(code: ErrorCode, api: Api): number {
  const { status, statuses } = kinds[code];
  return statuses?.[api] ?? status;
}

/** Where a family's SDKs look for the kind of an error beside its body. */
export function errorHeaders(api: Api, code: ErrorCode): Record<string, string> {
  const { bedrock } = kinds[code];
  return api === 'bedrock' && bedrock !== undefined ? { 'x-amzn-errortype': bedrock } : {};
}

/** The error body that the provider's own SDK expects. */
export function renderError(api: Api, refusal: Refusal): Buffer {
  return Buffer.from(JSON.stringify(forms[api](kinds[refusal.code], refusal)));
}

type Form = (kind: Kind, refusal: Refusal) => object;

const forms: Record<Api, Form> = {
  openai: ({ openai, openaiCode }, { code, message }) => ({
    error: { message, type: openai, param: null, code: openaiCode ?? code },
  }),
  anthropic: ({ anthropic }, { message }) => ({ type: 'error', error: { type: anthropic, message } }),
  gemini: ({ status, gemini }, refusal) => {
    const details = geminiDetails(refusal);
    const { message } = refusal;
    return { error: { code: status, message, status: gemini, ...(details.length > 0 && { details }) } };
  },
  bedrock: (_kind, { message }) => ({ message }),
  cohere: (_kind, { message }) => ({ message }),
};

/** Google's SDKs and command lines read from here how long to wait. */
function geminiDetails({ quota, retryAfterMs }: Refusal): object[] {
  const type = (name: string) => `type.googleapis.com/google.rpc.${name}`;
  return [
    ...(quota
      ? [
          {
            '@type': type('QuotaFailure'),
            violations: [{ quotaId: quota.name, quotaValue: quota.limit }],
          },
        ]
      : []),
    ...(retryAfterMs === undefined
      ? []
      : [{ '@type': type('RetryInfo'), retryDelay: `${Math.max(1, retryAfterMs) / 1000}s` }]),
  ];
}
