/**
 * The credential a call came with.
 * - `weir`: a weir key names the caller. `keepsOwn`: the application's own credential beside an
 *   `x-weir-key`, which passes through; without one the provider's key is put in.
 * - `workload`: the workload's token names the caller, as `weir_workload` in the place of a key asks for.
 * - `own`: the application's own credential, passes through.
 */
export type Credential =
  | { kind: 'weir'; key: string; keepsOwn: string | null }
  | { kind: 'workload'; keepsOwn: string | null }
  | { kind: 'own'; value: string }
  | { kind: 'none' };

/** Stands where an SDK insists on a key: "know me by my workload's token". */
const workloadMark = 'weir_workload';

/** The headers in which SDKs send keys: OpenAI and most, Anthropic, Azure, Google. */
const keyHeaders = ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key'] as const;

/** Where a browser puts the key of a realtime connection: `realtime, openai-insecure-api-key.<key>`. */
const protocolHeader = 'sec-websocket-protocol';
const protocolKey = /^openai-insecure-api-key\./i;

type Headers = ReadonlyMap<string, string>;

/** Also one that stands where none belongs, such as in the second of two headers. */
const holdsWeirKey = (text: string) => /(?<![\w-])weir_/i.test(text);

/** `headers` have lower-case names; `path` may carry Google's `?key=`. */
export function findCredential(headers: Headers, path: string): Credential {
  const values = credentialValues(headers, path);
  const own = values.find((value) => !holdsWeirKey(value)) ?? null;
  const named = headers.get('x-weir-key')?.trim();
  if (named) return byKey(named, own);
  // A weir key in any place counts: it must not go out beside an own one. Where one hides among other
  // text, that text is the key, and nobody's.
  const held = values.filter(holdsWeirKey);
  const weir = held.find((value) => value !== workloadMark) ?? held[0];
  if (weir !== undefined) return byKey(weir, null);
  return own === null ? { kind: 'none' } : { kind: 'own', value: own };
}

/** All credentials of the application's own that a call carries: a provider may go by any of them. */
export function ownCredentials(headers: Headers, path: string): string[] {
  return credentialValues(headers, path).filter((value) => !holdsWeirKey(value));
}

function credentialValues(headers: Headers, path: string): string[] {
  return [
    ...keyHeaders.flatMap((name) => readHeader(headers.get(name))),
    ...splitProtocols(headers.get(protocolHeader)).keys,
    ...queryKeys(path),
  ].filter((value) => value !== '');
}

function byKey(key: string, keepsOwn: string | null): Credential {
  return key === workloadMark ? { kind: 'workload', keepsOwn } : { kind: 'weir', key, keepsOwn };
}

/** The texts of a header that may be a key: what stands behind `Bearer`, both halves of `Basic`, or all of it. */
function readHeader(header: string | undefined): string[] {
  if (header === undefined) return [];
  const [, scheme = '', rest = ''] = /^(bearer|basic)\s+(.*)$/is.exec(header.trim()) ?? [];
  if (scheme.toLowerCase() === 'bearer') return [rest.trim()];
  if (scheme.toLowerCase() !== 'basic') return [header.trim()];
  const pair = Buffer.from(rest, 'base64').toString('latin1');
  const colon = pair.indexOf(':');
  const halves = colon < 0 ? [pair] : [pair.slice(0, colon), pair.slice(colon + 1)];
  // Who has none of weir's in it means the header as a whole.
  return halves.some(holdsWeirKey) ? halves.filter(holdsWeirKey) : [header.trim()];
}

function splitProtocols(header: string | undefined): { keys: string[]; others: string[] } {
  if (header === undefined) return { keys: [], others: [] };
  const all = header.split(',').map((each) => each.trim());
  return {
    keys: all.filter((each) => protocolKey.test(each)).map((each) => each.replace(protocolKey, '')),
    others: all.filter((each) => !protocolKey.test(each)),
  };
}

interface Pair {
  text: string;
  /** Of a parameter that is called `key`, however it is written. */
  key: string | null;
}

function queryPairs(path: string): Pair[] {
  const query = path.indexOf('?');
  if (query < 0) return [];
  return path
    .slice(query + 1)
    .split('&')
    .map((text) => {
      const [[name, value] = ['', '']] = new URLSearchParams(text);
      return { text, key: name === 'key' ? value.trim() : null };
    });
}

function queryKeys(path: string): string[] {
  return queryPairs(path).flatMap(({ key }) => key ?? []);
}

/** The path without the keys in its query: all of them, or only those of weir's. */
export function withoutKeys(path: string, which: 'all' | 'weir'): string {
  const query = path.indexOf('?');
  if (query < 0) return path;
  const pairs = queryPairs(path);
  const kept = pairs.filter(({ key }) => key === null || (which === 'weir' && !holdsWeirKey(key)));
  if (kept.length === pairs.length) return path;
  const rest = kept.map(({ text }) => text).join('&');
  return rest === '' ? path.slice(0, query) : `${path.slice(0, query)}?${rest}`;
}

/**
 * What is changed of the headers so that no weir key goes out, and with `all` no key of the caller's at
 * all.
 */
export function withoutKeyHeaders(
  headers: Headers,
  which: 'all' | 'weir',
): { set: Record<string, string>; remove: string[] } {
  const remove: string[] = keyHeaders.filter((name) => {
    const value = headers.get(name);
    return value !== undefined && (which === 'all' || readHeader(value).some(holdsWeirKey));
  });
  const { keys, others } = splitProtocols(headers.get(protocolHeader));
  if (!keys.some((key) => which === 'all' || holdsWeirKey(key))) return { set: {}, remove };
  if (others.length === 0) return { set: {}, remove: [...remove, protocolHeader] };
  return { set: { [protocolHeader]: others.join(', ') }, remove };
}
