import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { applyEnvironment } from './environment.ts';
import { ConfigError, nearest, type Problem } from './errors.ts';
import { type Path, valueAt } from './introspect.ts';
import type { DeclaredOrganization } from './organizations.ts';
import { report } from './report.ts';
import { type Address, builtinProviders, type Config, configSchema } from './schema.ts';
import { type Environment, interpolate } from './text.ts';
import { readYaml, type YamlFile } from './yaml.ts';

export interface Loaded {
  config: Config;
  /** The file it was read from; null: defaults and environment alone. */
  file: string | null;
  /** What `defaults` was given, in the words of weir.yaml. */
  defaults: unknown;
  organizations: DeclaredOrganization[];
  /** Whether the file or the environment set this path (`listen.egress`). */
  given(path: string): boolean;
}

const noFile: YamlFile = { document: {}, lineOf: () => undefined };

/**
 * Reads weir.yaml: `file`, else ./weir.yaml when it is there, else the defaults; `${NAME}` and
 * `${NAME:-default}` come from the environment, and `WEIR_<PATH>` overrides single values.
 * Throws ConfigError with all problems at once.
 */
export function loadConfig(options: { file?: string | undefined; env: Environment; cwd: string }): Loaded {
  const { env, cwd } = options;
  const implied = join(cwd, 'weir.yaml');
  const file = options.file ? resolve(cwd, options.file) : existsSync(implied) ? implied : null;
  const near = file === null ? 'config' : relative(cwd, file);
  const source = file !== null && near.startsWith('..') ? file : near;
  const { document, lineOf } = file === null ? noFile : readYaml(file, source);

  const problems: Problem[] = [];
  const merged = withBuiltinProviders(document);
  const fromEnv = applyEnvironment(merged, env, configSchema, (path, message) =>
    problems.push({ source: 'environment', path, message }),
  );
  const failed = new Set<string>();
  const fail = (path: Path, message: string) => {
    // What comes of a reference to nothing needs no second complaint.
    if (failed.has(path.join('.'))) return;
    failed.add(path.join('.'));
    const variable = fromEnv.get(path.join('.'));
    const line = lineOf(path);
    if (variable) problems.push({ source: 'environment', path: variable, message });
    else problems.push({ source, path: path.join('.'), message, ...(line !== undefined && { line }) });
  };
  const skip = (path: Path) => fromEnv.has(path.join('.'));
  const input = interpolate(merged, { env, schema: configSchema, skip, fail });
  const { data, error } = configSchema.safeParse(input);
  for (const issue of error?.issues ?? []) report(issue, configSchema, input, fail);
  const given = (path: string) => fromEnv.has(path) || (valueAt(document, path.split('.')) ?? null) !== null;
  if (data) crossCheck(data, given, fail);
  if (problems.length > 0 || !data) throw new ConfigError(problems);
  const organizations = data.organizations.map((each, index) => ({
    ...each,
    // As it was written: what it leaves open, `defaults` decides.
    policy: valueAt(input, ['organizations', index, 'policy']) ?? {},
  }));
  return { config: data, file, defaults: valueAt(input, ['defaults']) ?? {}, organizations, given };
}

/** What is wrong only together with something else. */
function crossCheck(
  { listen, redis, processor, providers, models, tls }: Config,
  given: (path: string) => boolean,
  fail: (path: Path, message: string) => void,
): void {
  if (redis.url === 'memory' && processor.workers > 1) {
    fail(
      ['processor', 'workers'],
      'more than one processor needs redis.url: in memory each would count and keep alone',
    );
  }
  if (!tls && processor.listen !== 'unix')
    fail(['processor', 'listen'], 'an address takes tls.cert_file and tls.key_file');
  if (!tls && listen.sidecars) fail(['listen', 'sidecars'], 'it takes tls.cert_file and tls.key_file');
  if (processor.listen !== 'unix' && processor.workers > 1)
    fail(['processor', 'workers'], 'on an address there is one processor: start more of them elsewhere');
  for (const [path, provider] of namedProviders(models)) {
    if (Object.hasOwn(providers, provider)) continue;
    const meant = nearest(provider, Object.keys(providers));
    fail(
      path,
      `no provider has this name; ${meant ? `did you mean ${meant}?` : `known: ${Object.keys(providers).join(', ')}`}`,
    );
  }
  const taken: [string, Address][] = [];
  for (const [name, address] of Object.entries(listen)) {
    // A default moves out of the way of what was asked for.
    if (!address || !given(`listen.${name}`)) continue;
    const other = taken.find(([, each]) => collide(each, address));
    if (other) fail(['listen', name], `the address is that of listen.${other[0]}: each needs its own`);
    taken.push([name, address]);
  }
}

/** Where models name their providers. */
function namedProviders(models: Config['models']): [Path, string][] {
  return Object.entries(models).flatMap(([name, { provider, deployments = [], fallback = [] }]) => [
    ...(provider === undefined ? [] : [[['models', name, 'provider'], provider] as [Path, string]]),
    ...Object.entries({ deployments, fallback }).flatMap(([list, each]) =>
      each.map((one, index): [Path, string] => [['models', name, list, index, 'provider'], one.provider]),
    ),
  ]);
}

function collide(a: Address, b: Address): boolean {
  const everywhere = ['0.0.0.0', '::'];
  return (
    a.port !== 0 &&
    a.port === b.port &&
    (a.host === b.host || everywhere.includes(a.host) || everywhere.includes(b.host))
  );
}

/** The providers that weir knows by itself, each overridden by what the document says of it; `null` drops it. */
function withBuiltinProviders(document: Record<string, unknown>): Record<string, unknown> {
  const given = document.providers ?? {};
  if (typeof given !== 'object' || Array.isArray(given)) return { ...document };
  const providers: Record<string, unknown> = { ...builtinProviders };
  for (const [name, value] of Object.entries(given)) {
    const isMap = typeof value === 'object' && !Array.isArray(value);
    providers[name] = isMap && value !== null ? { ...Object(providers[name]), ...value } : value;
  }
  return { ...document, providers };
}
