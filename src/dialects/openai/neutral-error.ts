import { asObject, asString, type JsonObject } from '../json.ts';
import { kindOfStatus } from '../neutral-error.ts';
import type { ErrorKind, NeutralError } from '../neutral-reply.ts';

const types: Record<ErrorKind, string> = {
  invalid: 'invalid_request_error',
  authentication: 'authentication_error',
  billing: 'insufficient_quota',
  permission: 'permission_error',
  not_found: 'not_found_error',
  too_large: 'invalid_request_error',
  rate_limit: 'rate_limit_error',
  server: 'server_error',
  overloaded: 'server_error',
  timeout: 'server_error',
};

const codes: Record<string, ErrorKind> = {
  insufficient_quota: 'billing',
  billing_hard_limit_reached: 'billing',
  rate_limit_exceeded: 'rate_limit',
  invalid_api_key: 'authentication',
  model_not_found: 'not_found',
  context_length_exceeded: 'invalid',
  server_error: 'server',
  server_is_overloaded: 'overloaded',
};

/** `{error: {message, type, param, code}}`, what others make of it, or what a proxy on the way said. */
export function readError(body: unknown, status: number | null): NeutralError {
  const outer = asObject(body);
  const error = asObject(outer?.error) ?? outer;
  const code = asString(error?.code) ?? (typeof error?.code === 'number' ? String(error.code) : null);
  const type = asString(error?.type);
  const message =
    asString(error?.message) ?? asString(outer?.error) ?? asString(outer?.detail) ?? asString(body);
  return {
    kind: codes[code ?? ''] ?? codes[type ?? ''] ?? kindOfStatus(status),
    status,
    message: message ?? 'The provider gave no reason.',
    code: code ?? type,
    param: asString(error?.param),
  };
}

export function writeError({ kind, message, code, param }: NeutralError): JsonObject {
  return { error: { message, type: types[kind], param, code } };
}
