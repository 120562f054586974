import type { ErrorKind } from './neutral-reply.ts';

const statuses: Record<number, ErrorKind> = {
  401: 'authentication',
  402: 'billing',
  403: 'permission',
  404: 'not_found',
  408: 'timeout',
  413: 'too_large',
  429: 'rate_limit',
  503: 'overloaded',
  504: 'timeout',
  529: 'overloaded',
};

/** What a status alone tells of an error; null: it came amid a stream. */
export function kindOfStatus(status: number | null): ErrorKind {
  if (status === null) return 'server';
  return statuses[status] ?? (status >= 500 ? 'server' : 'invalid');
}
