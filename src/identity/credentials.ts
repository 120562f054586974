/**
 * The credential a call came with.
 * - `weir`: a weir key names the caller. `keepsOwn`: the application's own credential beside an
 *   `x-weir-key`, which passes through; without one the provider's key is put in.
 * - `own`: the application's own credential, passes through.
 */
export type Credential =
  | { kind: 'weir'; key: string; keepsOwn: string | null }
  | { kind: 'own'; value: string }
  | { kind: 'none' };

/** The headers in which SDKs send keys: OpenAI and most, Anthropic, Azure, Google. */
export const credentialHeaders = ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key'] as const;

const isWeirKey = (text: string) => /^weir_/i.test(text);

/** `headers` have lower-case names; `path` may carry Google's `?key=`. */
export function findCredential(headers: ReadonlyMap<string, string>, path: string): Credential {
  const values = credentialHeaders
    .map((name) => headers.get(name))
    .concat(queryKey(path))
    .filter((value): value is string => value !== undefined)
    .map((value) => value.trim().replace(/^bearer\s+/i, ''))
    .filter((value) => value !== '');
  const own = values.find((value) => !isWeirKey(value)) ?? null;
  const named = headers.get('x-weir-key')?.trim();
  if (named) return { kind: 'weir', key: named, keepsOwn: own };
  // A weir key in any place counts: it must not go out beside an own one.
  const weir = values.find(isWeirKey);
  if (weir !== undefined) return { kind: 'weir', key: weir, keepsOwn: null };
  return own === null ? { kind: 'none' } : { kind: 'own', value: own };
}

function queryKey(path: string): string | undefined {
  const query = path.indexOf('?');
  return query < 0 ? undefined : (new URLSearchParams(path.slice(query + 1)).get('key') ?? undefined);
}

/** The path without a weir key in its query. */
export function withoutWeirKey(path: string): string {
  const query = path.indexOf('?');
  if (query < 0) return path;
  const kept = path
    .slice(query + 1)
    .split('&')
    .filter((pair) => !/^key=weir_/i.test(pair));
  return kept.length > 0 ? `${path.slice(0, query)}?${kept.join('&')}` : path.slice(0, query);
}
