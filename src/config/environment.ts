import { nearest } from './errors.ts';
import { members, type Schema, unwrap, values } from './introspect.ts';
import { type Environment, fromText } from './text.ts';

/** Variables that are no values of the config. */
const processVariables = ['WEIR_CONFIG', 'WEIR_DATA', 'WEIR_API_KEY', 'WEIR_SHARED'];

/** What Kubernetes sets in every pod beside a service whose name begins with `weir`. */
const serviceLink = /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/;

interface Leaf {
  path: string[];
  schema: Schema;
}

/**
 * Puts `WEIR_<PATH>` variables (`WEIR_LISTEN_EGRESS`, `WEIR_PROVIDERS_OPENAI_API_KEY`) into the
 * document. Returns the name of the variable for each path that was set.
 */
export function applyEnvironment(
  document: Record<string, unknown>,
  env: Environment,
  schema: Schema,
  fail: (name: string, message: string) => void,
): Map<string, string> {
  const set = new Map<string, string>();
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('WEIR_') || text === undefined) continue;
    if (processVariables.includes(name) || name.startsWith('WEIR_TEST_')) continue;
    const leaf = findLeaf(schema, name.slice('WEIR_'.length).toLowerCase(), document);
    if (leaf) {
      place(document, leaf.path, fromText(text, leaf.schema));
      set.set(leaf.path.join('.'), name);
    } else if (!serviceLink.test(name)) {
      const known = [...variables(schema, document), ...processVariables];
      const meant = nearest(name, known);
      const below = known.filter((each) => each.startsWith(`${name}_`));
      const hint = below.length > 0 ? `; there is ${below.join(', ')}` : meant && `; did you mean ${meant}?`;
      fail(name, `unknown variable${hint ?? ''}`);
    }
  }
  return set;
}

/** The names of what lies in an object or a record; those of a record are free. */
function membersOf(schema: Schema, document: unknown): [string, Schema][] {
  const shape = members(schema);
  if (shape) return Object.entries(shape);
  const value = values(schema);
  return value ? Object.keys(Object(document)).map((name) => [name, value]) : [];
}

function isLeaf(schema: Schema): boolean {
  return members(schema) === undefined && values(schema) === undefined;
}

/** Finds the value that `providers_openai_api_key` names: keys may hold underscores themselves. */
function findLeaf(schema: Schema, rest: string, document: unknown): Leaf | undefined {
  const known = membersOf(schema, document);
  const value = values(schema);
  const [first = ''] = rest.split('_');
  if (value && first !== '') known.push([first, value]);
  for (const [name, member] of known) {
    const word = name.replaceAll('-', '_');
    if (rest === word && isLeaf(member)) return { path: [name], schema: unwrap(member) };
    if (!rest.startsWith(`${word}_`)) continue;
    const leaf = findLeaf(member, rest.slice(word.length + 1), Reflect.get(Object(document), name));
    if (leaf) return { path: [name, ...leaf.path], schema: leaf.schema };
  }
  return undefined;
}

/** The variables of all values that a schema and a document name. */
export function variables(schema: Schema, document: unknown, prefix = 'WEIR'): string[] {
  if (isLeaf(schema)) return [prefix];
  return membersOf(schema, document).flatMap(([name, member]) =>
    variables(member, Reflect.get(Object(document), name), `${prefix}_${word(name)}`),
  );
}

function word(name: string): string {
  return name.replaceAll('-', '_').toUpperCase();
}

function place(document: Record<string, unknown>, [first = '', ...rest]: string[], value: unknown): void {
  if (rest.length === 0) {
    document[first] = value;
    return;
  }
  const next = Object.hasOwn(document, first) ? document[first] : undefined;
  const below = typeof next === 'object' && next !== null && !Array.isArray(next) ? { ...next } : {};
  document[first] = below;
  place(below, rest, value);
}
