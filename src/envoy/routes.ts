import { familyPaths, familyProvider, splitBase } from '../dialects/target.ts';
import { type EnvoyInputs, type Json, names } from './inputs.ts';

const quote = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Thinking models are silent for minutes; Envoy's own 15 s would cut them off. */
const patient = { timeout: '0s', idle_timeout: '0s' };

/**
 * The routes of the egress listener, in order:
 * 1. the cluster that the processor named;
 * 2. guards: a weir key must never reach a provider, so a call that still carries one when no
 *    processor looked at it ends here;
 * 3. by path, for calls that the processor could not look at and that may pass nevertheless.
 */
export function routeConfiguration({ providers }: EnvoyInputs): Json {
  return {
    name: names.routes,
    virtual_hosts: [
      {
        name: 'egress',
        domains: ['*'],
        routes: [
          {
            match: { prefix: '/', headers: [{ name: names.clusterHeader, present_match: true }] },
            route: { cluster_header: names.clusterHeader, auto_host_rewrite: true, ...patient },
          },
          ...guards(),
          ...Object.entries(providers).map(([name, { base_url }]) =>
            passRoute({ prefix: `/providers/${name}/` }, name, base_url, `/providers/${name}`),
          ),
          ...familyPaths.flatMap(({ prefix, api }) => {
            const name = familyProvider(providers, api);
            const provider = name === undefined ? undefined : providers[name];
            return name !== undefined && provider ? [passRoute({ prefix }, name, provider.base_url, '')] : [];
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

function guards(): Json[] {
  const weirKey = (name: string, regex: string) => ({ name, string_match: { safe_regex: { regex } } });
  const matches: { [key: string]: Json }[] = [
    { headers: [weirKey('authorization', '(?i)^(bearer\\s+)?weir_.*')] },
    ...['x-api-key', 'api-key', 'x-goog-api-key'].map((name) => ({
      headers: [weirKey(name, '(?i)^\\s*weir_.*')],
    })),
    { query_parameters: [{ name: 'key', string_match: { prefix: 'weir_' } }] },
  ];
  return matches.map((match) => ({
    match: { prefix: '/', ...match },
    direct_response: {
      status: 503,
      body: { inline_string: 'weir is not able to look at this call now; try again' },
    },
  }));
}

/** `removed` + version + rest → base path + rest, as `findTarget` does it. */
function passRoute(match: Json, name: string, baseUrl: string, removed: string): Json {
  const { path, version } = splitBase(baseUrl);
  return {
    match,
    route: {
      cluster: names.providerCluster(name),
      auto_host_rewrite: true,
      regex_rewrite: {
        pattern: { regex: `^${quote(removed)}${version && `(?:${quote(version)})?`}(/.*)$` },
        substitution: `${path.replaceAll('\\', '\\\\')}\\1`,
      },
      ...patient,
    },
  };
}
