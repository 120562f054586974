import { existsSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { applyEnvironment, type Environment, interpolate } from './environment.ts';
import { ConfigError, nearest, type Problem } from './errors.ts';
import { elements, members } from './introspect.ts';
import { builtinProviders, type Config, configSchema } from './schema.ts';

export interface Loaded {
  config: Config;
  /** The file it was read from; null: defaults and environment alone. */
  file: string | null;
  /** Whether the file or the environment set this path (`listen.egress`). */
  given(path: string): boolean;
}

type Path = (string | number)[];
type LineOf = (path: Path) => number | undefined;

/**
 * Reads weir.yaml: `file`, else ./weir.yaml when it is there, else the defaults; `${NAME}` and
 * `${NAME:-default}` come from the environment, and `WEIR_<PATH>` overrides single values.
 * Throws ConfigError with all problems at once.
 */
export function loadConfig(options: { file?: string | undefined; env: Environment; cwd: string }): Loaded {
  const { env, cwd } = options;
  const implied = join(cwd, 'weir.yaml');
  const file = options.file !== undefined ? resolve(cwd, options.file) : existsSync(implied) ? implied : null;
  const source = file === null ? 'config' : relative(cwd, file).startsWith('..') ? file : relative(cwd, file);
  const { document, lineOf } =
    file === null ? { document: {}, lineOf: () => undefined } : readYaml(file, source);

  const problems: Problem[] = [];
  const fail = (path: Path, message: string, line = lineOf(path)) => {
    problems.push({ path: path.join('.'), message, ...(line !== undefined && { line }) });
  };
  const fromEnv = applyEnvironment(document, env, configSchema, (name, message) =>
    fail([], `${name}: ${message}`),
  );
  const input = interpolate(withBuiltinProviders(document), env, fail);
  const parsed = configSchema.safeParse(input);
  if (!parsed.success) for (const issue of parsed.error.issues) report(issue, input, fail);
  if (problems.length > 0 || !parsed.data) throw new ConfigError(source, problems);

  crossCheck(parsed.data, fail);
  if (problems.length > 0) throw new ConfigError(source, problems);
  return { config: parsed.data, file, given: (path) => fromEnv.has(path) || has(document, path.split('.')) };
}

function readYaml(file: string, source: string): { document: Record<string, unknown>; lineOf: LineOf } {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const reason =
      error instanceof Error && 'code' in error && error.code === 'ENOENT'
        ? 'there is no such file'
        : String(error);
    throw new ConfigError(source, [{ path: '', message: reason }]);
  }
  const lines = new LineCounter();
  const yaml = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (yaml.errors.length > 0) {
    const problems = yaml.errors.map(({ message, pos }) => ({
      path: '',
      line: lines.linePos(pos[0]).line,
      message,
    }));
    throw new ConfigError(source, problems);
  }
  const document: unknown = yaml.toJS() ?? {};
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new ConfigError(source, [
      { path: '', line: 1, message: 'expected keys and values, such as `listen:`' },
    ]);
  }
  const lineOf: LineOf = (path) => {
    for (let end = path.length; end > 0; end--) {
      const parent = end > 1 ? yaml.getIn(path.slice(0, end - 1), true) : yaml.contents;
      const last = path[end - 1];
      const pair = isMap(parent)
        ? parent.items.find(({ key }) => isScalar(key) && String(key.value) === String(last))
        : undefined;
      const node = pair?.key ?? yaml.getIn(path.slice(0, end), true);
      if (typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range)) {
        return lines.linePos(Number(node.range[0])).line;
      }
    }
    return undefined;
  };
  return { document: document as Record<string, unknown>, lineOf };
}

/** Says what zod found in the words of weir.yaml. */
function report(issue: z.core.$ZodIssue, input: unknown, fail: (path: Path, message: string) => void): void {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(path);
    for (const key of issue.keys) {
      const meant = nearest(key, known);
      fail([...path, key], `unknown key; ${meant ? `did you mean ${meant}?` : `known: ${known.join(', ')}`}`);
    }
  } else if (issue.code === 'invalid_value') {
    fail(path, `${show(get(input, path))} is not one of ${issue.values.map(String).join(', ')}`);
  } else if (issue.code === 'invalid_type') {
    fail(path, `expected ${issue.expected}, found ${show(get(input, path))}`);
  } else if (issue.code === 'invalid_format') {
    fail(path, `expected ${issue.message}, found ${show(get(input, path))}`);
  } else {
    fail(path, issue.message);
  }
}

function crossCheck(config: Config, fail: (path: Path, message: string) => void): void {
  const { postgres, redis, processor } = config;
  if (postgres.url !== 'embedded' && !/^postgres(ql)?:\/\//.test(postgres.url)) {
    fail(['postgres', 'url'], 'expected embedded or postgres://…');
  }
  const nodes = Array.isArray(redis.url) ? redis.url : [redis.url];
  const memory = redis.url === 'memory';
  if (!memory && !nodes.every((url) => /^rediss?:\/\//.test(url))) {
    fail(['redis', 'url'], 'expected memory, redis://…, rediss://…, or a list of the nodes of a cluster');
  }
  if (memory && processor.workers > 1) {
    fail(
      ['processor', 'workers'],
      'more than one processor needs redis.url: in memory each would count and keep alone',
    );
  }
}

function knownKeys(path: Path): string[] {
  let schema: z.core.$ZodType | undefined = configSchema;
  for (const part of path) schema = schema && (members(schema)?.[part] ?? elements(schema));
  return Object.keys((schema && members(schema)) ?? {});
}

/** The providers that weir knows by itself, each overridden by what the document says of it; `null` drops it. */
function withBuiltinProviders(document: Record<string, unknown>): Record<string, unknown> {
  const given = document.providers ?? {};
  if (typeof given !== 'object' || Array.isArray(given)) return document;
  const providers: Record<string, unknown> = { ...builtinProviders };
  for (const [name, value] of Object.entries(given)) {
    if (value === null) delete providers[name];
    else if (typeof value === 'object' && !Array.isArray(value))
      providers[name] = { ...Object(providers[name]), ...value };
    else providers[name] = value;
  }
  return { ...document, providers };
}

function get(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (at, part) => (typeof at === 'object' && at !== null ? Reflect.get(at, part) : undefined),
    value,
  );
}

function has(value: unknown, path: Path): boolean {
  return get(value, path) !== undefined;
}

function show(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value);
}
