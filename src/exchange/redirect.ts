import type { Config, ProviderConfig } from '../config/schema.ts';
import { splitBase, type Target } from '../dialects/target.ts';
import { type Arrival, withKey } from './arrival.ts';
import type { RequestHead } from './messages.ts';
import { upstreamEdit } from './outgoing.ts';

/** Where an endpoint is at a provider; `versioned` has the version that it has where the base URL names none. */
export function targetAt(name: string, provider: ProviderConfig, versioned: string): Target {
  const base = splitBase(provider.base_url);
  const endpoint = versioned.replace(/^\/v\d+[a-z0-9]*(?=\/)/, '');
  return {
    provider: name,
    path: base.path + (base.version === '' ? versioned : endpoint),
    endpoint: endpoint.replace(/\?.*$/s, ''),
  };
}

/** Headers by which SDKs tell their own provider of versions, features and themselves. */
const ownHeaders = /^(anthropic-|openai-|x-goog-|x-stainless-)/;

/** The call on its way to another provider, or to another endpoint of the same. */
export function redirected(
  arrival: Arrival,
  head: RequestHead,
  to: { target: Target; provider: Config['providers'][string]; dialect: Arrival['dialect'] },
): Arrival {
  const { target, dialect } = to;
  const provider = arrival.putsIn ? withKey(to.provider, target.provider, arrival.access) : to.provider;
  const putIn = arrival.putsIn ? provider : null;
  const plain = provider.base_url.startsWith('http:');
  const edit = upstreamEdit({ head, target, putIn, inspected: dialect?.untouchable !== true, plain });
  const isForeign = provider.api !== arrival.provider.api;
  const own = isForeign ? [...head.headers.keys()].filter((name) => ownHeaders.test(name)) : [];
  const set = {
    ...edit.set,
    ...(isForeign && provider.api === 'anthropic' && { 'anthropic-version': '2023-06-01' }),
  };
  const remove = [...new Set([...edit.remove, ...own])].filter((name) => !(name in set));
  return {
    ...arrival,
    target,
    provider,
    dialect,
    credential: putIn ? provider.api_key : arrival.ownCredential,
    edit: { set, remove },
  };
}
