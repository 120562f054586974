import type { ProviderConfig } from '../config/schema.ts';

/** The names that each family of dialects has for one kind of error. */
interface Kind {
  status: number;
  openai: string;
  anthropic: string;
  gemini: string;
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

/** Every refusal of weir's on the data plane, by its stable code (`x-weir-error`). */
const codes = {
  invalid_json: { status: 400, ...invalid },
  invalid_api_key: { status: 401, ...unauthenticated },
  provider_key_missing: { status: 401, ...unauthenticated },
  unknown_path: {
    status: 404,
    openai: 'invalid_request_error',
    anthropic: 'not_found_error',
    gemini: 'NOT_FOUND',
  },
  cache_miss: { status: 504, openai: 'server_error', anthropic: 'api_error', gemini: 'UNAVAILABLE' },
  rate_limit_exceeded: {
    status: 429,
    openai: 'requests',
    anthropic: 'rate_limit_error',
    gemini: 'RESOURCE_EXHAUSTED',
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
}

export function refusalStatus(code: ErrorCode): number {
  return codes[code].status;
}

/** The error body that the provider's own SDK expects. */
export function renderError(api: ProviderConfig['api'], { code, message }: Refusal): Buffer {
  const { status, ...names } = codes[code];
  return Buffer.from(JSON.stringify(forms[api](status, names, code, message)));
}

type Form = (status: number, names: Omit<Kind, 'status'>, code: ErrorCode, message: string) => object;

const forms: Record<ProviderConfig['api'], Form> = {
  openai: (_status, names, code, message) => ({ error: { message, type: names.openai, param: null, code } }),
  anthropic: (_status, names, _code, message) => ({
    type: 'error',
    error: { type: names.anthropic, message },
  }),
  gemini: (status, names, _code, message) => ({ error: { code: status, message, status: names.gemini } }),
  bedrock: (_status, _names, _code, message) => ({ message }),
  cohere: (_status, _names, _code, message) => ({ message }),
};
