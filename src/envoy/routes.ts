import { familyPaths, familyProvider, splitBase } from '../dialects/target.ts';
import { type Meeting, plannedProviders, planRoute } from './attempts.ts';
import { any, type EnvoyInputs, type Json, names } from './inputs.ts';

const quote = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Thinking models are silent for minutes; Envoy's own 15 s would cut them off. */
const patient = { timeout: '0s', idle_timeout: '0s' };

const byProcessor: Json = {
  match: { prefix: '/', headers: [{ name: names.clusterHeader, present_match: true }] },
  route: { cluster_header: names.clusterHeader, auto_host_rewrite: true, ...patient },
};

/**
 * The routes of the egress listener, in order:
 * 1. the clusters that the processor named, or the one;
 * 2. guards: a weir key must never reach a provider, so a call that still carries one when no
 *    processor looked at it ends here;
 * 3. by path, for calls that the processor could not look at and that may pass nevertheless.
 */
export function routeConfiguration(
  { providers, models }: Pick<EnvoyInputs, 'providers' | 'models'>,
  processors: readonly Meeting[],
): Json {
  return {
    name: names.routes,
    virtual_hosts: [
      {
        name: 'egress',
        domains: ['*'],
        ...tellPlanned(models, processors),
        routes: [
          ...planned(models, processors),
          byProcessor,
          ...guards(),
          ...Object.entries(providers).map(([name, { base_url }]) =>
            passRoute({ prefix: `/providers/${name}/` }, name, base_url, `/providers/${name}`),
          ),
          ...familyPaths.flatMap(({ api, ...path }) => {
            const name = familyProvider(providers, api);
            const provider = name === undefined ? undefined : providers[name];
            return name !== undefined && provider
              ? [passRoute('prefix' in path ? path : { safe_regex: path }, name, provider.base_url, '')]
              : [];
          }),
          {
            match: { prefix: '/' },
            direct_response: { status: 404, body: { inline_string: 'no provider serves this path' } },
          },
        ],
      },
    ],
  };
}

function planned(models: EnvoyInputs['models'], processors: readonly Meeting[]): Json[] {
  return plannedProviders(models).length > 0 ? [planRoute(models, processors, patient)] : [];
}

/**
 * Counts attempts, and tells processors elsewhere what can be tried here: they may be of another release, or of
 * another day's config. It comes with the routes of which it speaks.
 */
function tellPlanned(models: EnvoyInputs['models'], processors: readonly Meeting[]): Record<string, Json> {
  const told = { key: names.plannedHeader, value: plannedProviders(models).join(',') };
  const counted = { include_request_attempt_count: true };
  if (!processors.includes(null) || told.value === '') return counted;
  return {
    ...counted,
    typed_per_filter_config: {
      'envoy.filters.http.ext_proc': any('envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute', {
        overrides: { grpc_initial_metadata: [told] },
      }),
    },
  };
}

/** The routes of intercepted calls to a provider: the path is the provider's already. */
export function interceptedRoutes(provider: string, models: EnvoyInputs['models']): Json {
  return {
    name: names.interceptedRoutes(provider),
    virtual_hosts: [
      {
        name: provider,
        domains: ['*'],
        ...tellPlanned(models, [null]),
        routes: [
          ...planned(models, [null]),
          byProcessor,
          ...guards(),
          {
            match: { prefix: '/' },
            route: { cluster: names.providerCluster(provider), auto_host_rewrite: true, ...patient },
          },
        ],
      },
    ],
  };
}

/** `weir_` in base64, by where it begins in a group of three bytes (RFC 4648, and its form for URLs). */
const inBase64 = 'd2Vpcl[-_89+/]|[HXn3]dlaXJf|[BFJNRVZdhlptx159]3ZWlyX[-_w-z0-9+/]';
const weirKey = '(?i:weir_)';
/** Where a key begins: not within another word. */
const apart = '(?:.*[^A-Za-z0-9_-])?';
/** Each character of a query may be written as its code. */
const written = (text: string) =>
  [...text].map((each) => `(?i:${each}|%${each.charCodeAt(0).toString(16)})`).join('');

/** All places where `findCredential` finds weir keys (src/identity/credentials.ts). */
function guards(): Json[] {
  const header = (name: string, regex: string) => ({ name, string_match: { safe_regex: { regex } } });
  const matches: Json[] = [
    header('authorization', `${apart}${weirKey}.*`),
    header('authorization', `(?i:\\s*basic\\s).*(?:${inBase64}).*`),
    ...['x-api-key', 'api-key', 'x-goog-api-key'].map((name) => header(name, `${apart}${weirKey}.*`)),
    header('sec-websocket-protocol', `.*(?i:openai-insecure-api-key\\.)${apart}${weirKey}.*`),
    { name: 'x-weir-key', present_match: true },
    header(':path', `.*[?&]${written('key')}=(?:.*(?:[^A-Za-z0-9_-]|%[0-9a-fA-F]{2}))?${written('weir_')}.*`),
  ];
  return matches.map((match) => ({
    match: { prefix: '/', headers: [match] },
    direct_response: {
      status: 503,
      body: { inline_string: 'weir is not able to look at this call now; try again' },
    },
  }));
}

/** `removed` + version + rest → base path + rest, as `findTarget` does it. */
function passRoute(match: Json, name: string, baseUrl: string, removed: string): Json {
  const { path, version, isVersioned } = splitBase(baseUrl);
  const written = isVersioned ? '/v[0-9]+[a-z0-9]*' : quote(version);
  return {
    match,
    route: {
      cluster: names.providerCluster(name),
      auto_host_rewrite: true,
      regex_rewrite: {
        pattern: { regex: `^${quote(removed)}${written && `(?:${written})?`}(/.*)$` },
        substitution: `${path.replaceAll('\\', '\\\\')}\\1`,
      },
      ...patient,
    },
  };
}
