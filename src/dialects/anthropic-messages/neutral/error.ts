import { asObject, asString, type JsonObject } from '../../json.ts';
import { kindOfStatus } from '../../neutral-error.ts';
import { type ErrorKind, errorKinds, type NeutralError } from '../../neutral-reply.ts';

const types: Record<ErrorKind, string> = {
  invalid: 'invalid_request_error',
  authentication: 'authentication_error',
  billing: 'billing_error',
  permission: 'permission_error',
  not_found: 'not_found_error',
  too_large: 'request_too_large',
  rate_limit: 'rate_limit_error',
  server: 'api_error',
  overloaded: 'overloaded_error',
  timeout: 'timeout_error',
};

/** `{type: 'error', error: {type, message}}`. */
export function readError(body: unknown, status: number | null): NeutralError {
  const error = asObject(asObject(body)?.error);
  const type = asString(error?.type);
  return {
    kind: errorKinds.find((kind) => types[kind] === type) ?? kindOfStatus(status),
    status,
    message: asString(error?.message) ?? asString(body) ?? 'The provider gave no reason.',
    code: type,
    param: null,
  };
}

export function writeError({ kind, message }: NeutralError): JsonObject {
  return { type: 'error', error: { type: types[kind], message }, request_id: null };
}
