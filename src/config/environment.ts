import { z } from 'zod';
import { nearest } from './errors.ts';
import { elements, members, unwrap } from './introspect.ts';

export type Environment = Record<string, string | undefined>;
type Path = (string | number)[];

/** Variables that are no values of the config. */
const processVariables = ['WEIR_CONFIG', 'WEIR_DATA', 'WEIR_SHARED'];

/**
 * Puts `WEIR_<PATH>` variables (`WEIR_LISTEN_EGRESS`, `WEIR_PROVIDERS_OPENAI_API_KEY`) into the
 * document. Returns the paths that were set.
 */
export function applyEnvironment(
  document: Record<string, unknown>,
  env: Environment,
  schema: z.core.$ZodType,
  fail: (name: string, message: string) => void,
): Set<string> {
  const set = new Set<string>();
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith('WEIR_') || value === undefined) continue;
    if (processVariables.includes(name) || name.startsWith('WEIR_TEST_')) continue;
    const leaf = findLeaf(schema, name.slice('WEIR_'.length).toLowerCase(), document);
    if (leaf) {
      place(document, leaf.path, convert(value, leaf.schema));
      set.add(leaf.path.join('.'));
    } else {
      const known = leafNames(schema).concat(processVariables);
      const meant = nearest(name, known);
      fail(name, `unknown variable${meant ? `; did you mean ${meant}?` : ''}`);
    }
  }
  return set;
}

interface Leaf {
  path: string[];
  schema: z.core.$ZodType;
}

/** Finds the value that `providers_openai_api_key` names: keys may hold underscores themselves. */
function findLeaf(schema: z.core.$ZodType, rest: string, value: unknown): Leaf | undefined {
  const shape = members(schema);
  const any = isRecord(schema) ? elements(schema) : undefined;
  const [first = ''] = rest.split('_');
  const names = shape ? Object.keys(shape) : any ? [...Object.keys(Object(value)), first] : [];
  for (const name of names) {
    const member = shape?.[name] ?? any;
    const word = name.replaceAll('-', '_');
    if (!member) continue;
    if (rest === word && !members(member) && !isRecord(member))
      return { path: [name], schema: unwrap(member) };
    if (!rest.startsWith(`${word}_`)) continue;
    const leaf = findLeaf(member, rest.slice(word.length + 1), Reflect.get(Object(value), name));
    if (leaf) return { path: [name, ...leaf.path], schema: leaf.schema };
  }
  return undefined;
}

function isRecord(schema: z.core.$ZodType): boolean {
  return unwrap(schema) instanceof z.ZodRecord;
}

function leafNames(schema: z.core.$ZodType, prefix = 'WEIR'): string[] {
  const shape = members(schema);
  if (!shape) return [prefix];
  return Object.entries(shape).flatMap(([name, member]) =>
    leafNames(member, `${prefix}_${name.toUpperCase()}`),
  );
}

/** A variable is text; numbers and lists are written as text. */
function convert(text: string, schema: z.core.$ZodType): unknown {
  if (schema instanceof z.ZodNumber && /^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (schema instanceof z.ZodBoolean && /^(true|false)$/.test(text)) return text === 'true';
  if (schema instanceof z.ZodArray)
    return text === '' || text === '[]' ? [] : text.split(',').map((each) => each.trim());
  if (schema instanceof z.ZodUnion && text.includes(',')) return text.split(',').map((each) => each.trim());
  return text;
}

function place(document: Record<string, unknown>, path: string[], value: unknown): void {
  const [first, ...rest] = path;
  if (first === undefined) return;
  if (rest.length === 0) {
    document[first] = value;
    return;
  }
  const next = document[first];
  const below = typeof next === 'object' && next !== null && !Array.isArray(next) ? next : {};
  document[first] = below;
  place(below as Record<string, unknown>, rest, value);
}

/** Replaces `${NAME}` and `${NAME:-default}` in all texts of a document. */
export function interpolate(
  value: unknown,
  env: Environment,
  fail: (path: Path, message: string) => void,
  path: Path = [],
): unknown {
  if (typeof value === 'string') {
    return value.replace(
      /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g,
      (_all, name: string, otherwise?: string) => {
        const found = env[name];
        if (found !== undefined && found !== '') return found;
        if (otherwise !== undefined) return otherwise;
        fail(path, `\${${name}} is not set in the environment; set it, or write \${${name}:-default}`);
        return '';
      },
    );
  }
  if (Array.isArray(value)) return value.map((each, index) => interpolate(each, env, fail, [...path, index]));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, interpolate(each, env, fail, [...path, key])]),
  );
}
