import type { ProviderConfig } from '../config/schema.ts';
import { pathAt, plainPath } from '../dialects/target.ts';
import type { Arrival } from './arrival.ts';
import type { RequestHead } from './messages.ts';
import { upstreamEdit } from './outgoing.ts';

/** Where a call goes instead. */
export interface Redirection {
  name: string;
  provider: ProviderConfig;
  /** The path there without base path and version, with its query. */
  endpoint: string;
  dialect: Arrival['dialect'];
}

/** Headers by which SDKs tell their own provider of versions, features and themselves. */
const ownHeaders = /^(anthropic-|openai-|x-goog-|x-stainless-)/;

/** The same call, to another provider or another endpoint of the same. */
export function readdress(
  arrival: Arrival,
  head: RequestHead,
  { name, provider, endpoint, dialect }: Redirection,
): Arrival {
  const target = {
    provider: name,
    path: pathAt(provider, endpoint),
    endpoint: plainPath(endpoint),
  };
  const key = arrival.putsKeyIn ? arrival.access.providerKey(name) : null;
  const putIn = key === null ? null : { ...provider, api_key: key };
  const plain = provider.base_url.startsWith('http:');
  const edit = upstreamEdit({
    head,
    target,
    putIn,
    inspected: dialect !== arrival.dialect || dialect?.untouchable !== true,
    plain,
  });
  const isForeign = provider.api !== arrival.provider.api;
  const own = isForeign ? [...head.headers.keys()].filter((header) => ownHeaders.test(header)) : [];
  const set = {
    ...edit.set,
    ...(isForeign && provider.api === 'anthropic' && { 'anthropic-version': '2023-06-01' }),
  };
  const remove = [...new Set([...edit.remove, ...own])].filter((header) => !(header in set));
  return {
    ...arrival,
    target,
    provider,
    dialect,
    credential: key ?? arrival.ownCredential,
    edit: { set, remove },
  };
}
