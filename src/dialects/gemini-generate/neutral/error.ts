import { asArray, asObject, asString, type JsonObject } from '../../json.ts';
import { kindOfStatus } from '../../neutral-error.ts';
import type { ErrorKind, NeutralError } from '../../neutral-reply.ts';

/** google.rpc.Code, with the HTTP status that Google sends it with. */
const names: Record<ErrorKind, readonly [status: string, code: number]> = {
  invalid: ['INVALID_ARGUMENT', 400],
  authentication: ['UNAUTHENTICATED', 401],
  billing: ['FAILED_PRECONDITION', 402],
  permission: ['PERMISSION_DENIED', 403],
  not_found: ['NOT_FOUND', 404],
  too_large: ['INVALID_ARGUMENT', 413],
  rate_limit: ['RESOURCE_EXHAUSTED', 429],
  server: ['INTERNAL', 500],
  overloaded: ['UNAVAILABLE', 503],
  timeout: ['DEADLINE_EXCEEDED', 504],
};

const kinds: Record<string, ErrorKind> = {
  INVALID_ARGUMENT: 'invalid',
  FAILED_PRECONDITION: 'invalid',
  OUT_OF_RANGE: 'invalid',
  UNAUTHENTICATED: 'authentication',
  PERMISSION_DENIED: 'permission',
  NOT_FOUND: 'not_found',
  RESOURCE_EXHAUSTED: 'rate_limit',
  INTERNAL: 'server',
  UNAVAILABLE: 'overloaded',
  DEADLINE_EXCEEDED: 'timeout',
};

/** `{error: {code, message, status, details}}`, of a stream in a list of one. */
export function readError(body: unknown, status: number | null): NeutralError {
  const error = asObject((asObject(body) ?? asObject(asArray(body)[0]))?.error);
  const name = asString(error?.status);
  const code = typeof error?.code === 'number' ? error.code : status;
  // A wrong key is an invalid argument to Google.
  const wrongKey = asArray(error?.details).some((each) => asObject(each)?.reason === 'API_KEY_INVALID');
  return {
    kind: wrongKey ? 'authentication' : (kinds[name ?? ''] ?? kindOfStatus(code)),
    status,
    message: asString(error?.message) ?? asString(body) ?? 'The provider gave no reason.',
    code: name,
    param: null,
  };
}

export function writeError({ kind, status, message }: NeutralError): JsonObject {
  const [name, code] = names[kind];
  return { error: { code: status ?? code, message, status: name } };
}
