import { createHash } from 'node:crypto';

/** Everything that an answer depends on. */
export interface CacheKeyParts {
  organization: string;
  /** Keyed hash of the application's own credentials; null when they do not part its callers. */
  credential: string | null;
  provider: string;
  /** Origin of the provider. */
  server: string;
  dialect: string;
  operation: string;
  /** Path and query at the provider, without what only chooses the form of the answer. */
  path: string;
  /** Hash of the canonical request. */
  request: string;
  /** Headers that change the answer, by name in lower case. */
  headers: Record<string, string>;
}

/** Changes when equal parts mean something else than before. */
const version = 1;

/** The key of an answer: SHA-256 in hex over an unambiguous form of its parts. */
export function cacheKey(parts: CacheKeyParts): string {
  const headers = Object.entries(parts.headers).sort(([a], [b]) => (a < b ? -1 : 1));
  const form = [
    version,
    parts.organization,
    parts.credential,
    parts.provider,
    parts.server,
    parts.dialect,
    parts.operation,
    parts.path,
    parts.request,
    headers,
  ];
  return createHash('sha256').update(JSON.stringify(form)).digest('hex');
}
