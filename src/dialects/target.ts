import type { ProviderConfig } from '../config/schema.ts';
import { envelopeOf } from './envelope.ts';

type Providers = Record<string, ProviderConfig>;

/** Where a call goes: the provider, and the path there, query included. */
export interface Target {
  provider: string;
  /** Path and query as the provider gets them. */
  path: string;
  /** The path without the provider's base path, version and query: `/chat/completions`. */
  endpoint: string;
}

type Api = ProviderConfig['api'];

/**
 * Which family of dialects a path without a provider's name belongs to; the first match counts. A regular
 * expression is for the whole path without its query, and RE2's as well: Envoy's routes have it.
 */
export const familyPaths: readonly ({ api: Api } & ({ prefix: string } | { regex: string }))[] = [
  { prefix: '/v1/messages', api: 'anthropic' },
  { prefix: '/v1beta/models/', api: 'gemini' },
  // Google's SDK for Python; a model of OpenAI's has no verb.
  { regex: '/v1/models/[^/:]+:[A-Za-z]+', api: 'gemini' },
  { prefix: '/v1/', api: 'openai' },
];

/** A path without its query. */
export function plainPath(path: string): string {
  return path.replace(/\?.*$/s, '');
}

/** The query of a path, with its question mark; empty where there is none. */
export function queryOf(path: string): string {
  return /\?.*$/s.exec(path)?.[0] ?? '';
}

/** The family that a path belongs to by its form. */
export function familyOf(path: string): Api | undefined {
  const plain = plainPath(path);
  return familyPaths.find((each) =>
    'prefix' in each ? plain.startsWith(each.prefix) : new RegExp(`^(?:${each.regex})$`).test(plain),
  )?.api;
}

/** The path of a base URL, split before its closing version segment: `/openai/v1` → `/openai`, `/v1`. */
export function splitBase(baseUrl: string): { path: string; version: string; isVersioned: boolean } {
  const path = new URL(baseUrl).pathname.replace(/\/+$/, '');
  const version = /\/v\d+[a-z0-9]*$/.exec(path)?.[0] ?? '';
  // Vertex AI: `/v1/projects/…/publishers/google`.
  return { path, version, isVersioned: /\/v\d+[a-z0-9]*\//.test(path) };
}

/** The version that SDKs of a family write behind a base URL that has none. */
const versions: Record<ProviderConfig['api'], string> = {
  openai: '/v1',
  anthropic: '/v1',
  gemini: '/v1beta',
  bedrock: '',
  cohere: '/v2',
};

/** Where an endpoint lies at a provider. */
export function pathAt(
  { api, base_url, auth }: Pick<ProviderConfig, 'api' | 'base_url' | 'auth'>,
  endpoint: string,
): string {
  const { path, version, isVersioned } = splitBase(base_url);
  // What one gives OpenAI's SDK has its version in it, wherever that stands.
  // What a cloud has in a form of its own is told with all of its path.
  const isOwn = envelopeOf({ api, base_url, auth }) !== null;
  const isWhole = isOwn || version !== '' || isVersioned || (api === 'openai' && path !== '');
  return path + (isWhole ? '' : versions[api]) + endpoint;
}

/** The provider that serves a family: the one that bears its name, else the first that speaks it. */
export function familyProvider(providers: Providers, api: Api): string | undefined {
  if (providers[api]?.api === api) return api;
  return Object.keys(providers).find((name) => providers[name]?.api === api);
}

/**
 * Finds the provider for a path of the egress listener: `/providers/<name>/…` names it, else the form
 * of the path or an `anthropic-version` header tells. A version segment that the base URL has already
 * is written once.
 */
export function findTarget(
  providers: Providers,
  path: string,
  anthropicVersion: boolean,
): Target | undefined {
  const named = /^\/providers\/([^/?]+)(\/.*|\?.*)?$/.exec(path);
  const rest = named ? (named[2] ?? '/') : path;
  const api = anthropicVersion ? 'anthropic' : familyOf(path);
  const name = named ? named[1] : api && familyProvider(providers, api);
  const provider = name !== undefined && Object.hasOwn(providers, name) ? providers[name] : undefined;
  if (name === undefined || !provider) return undefined;

  const base = splitBase(provider.base_url);
  const doubled = base.version !== '' && new RegExp(`^${base.version}(?=[/?]|$)`).test(rest);
  const tail = base.isVersioned
    ? rest.replace(/^\/v\d+[a-z0-9]*(?=\/)/, '')
    : doubled
      ? rest.slice(base.version.length)
      : rest;
  const endpoint = plainPath(tail).replace(/^\/v\d+[a-z0-9]*(?=\/)/, '');
  return { provider: name, path: base.path + tail, endpoint };
}

/** Where an intercepted call goes: where it meant to. Its path is the provider's own already. */
export function interceptedTarget(providers: Providers, name: string, path: string): Target | undefined {
  const provider = Object.hasOwn(providers, name) ? providers[name] : undefined;
  if (!provider) return undefined;
  const base = splitBase(provider.base_url);
  const plain = plainPath(path);
  const inside = plain.startsWith(`${base.path}/`) ? plain.slice(base.path.length) : plain;
  return { provider: name, path, endpoint: inside.replace(/^\/v\d+[a-z0-9]*(?=\/)/, '') };
}
