import { createHash } from 'node:crypto';

/** Everything that an answer depends on. */
export interface CacheKeyParts {
  organization: string;
  /** Keyed hash of the application's own credential; null when weir's key named the caller. */
  credential: string | null;
  provider: string;
  dialect: string;
  /** Path and query at the provider: versions of an API answer differently. */
  path: string;
  /** Hash of the canonical request. */
  request: string;
  /** Headers that change the answer, by name in lower case. */
  headers: Record<string, string>;
}

/** The key of an answer: SHA-256 in hex over an unambiguous form of its parts. */
export function cacheKey(parts: CacheKeyParts): string {
  const headers = Object.entries(parts.headers).sort(([a], [b]) => (a < b ? -1 : 1));
  const form = [
    parts.organization,
    parts.credential,
    parts.provider,
    parts.dialect,
    parts.path,
    parts.request,
    headers,
  ];
  return createHash('sha256').update(JSON.stringify(form)).digest('hex');
}
