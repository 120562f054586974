import type { SpokenName } from '../config/dialects.ts';
import { asArray, asObject, type JsonObject } from './json.ts';

/** What of an object only its dialect says: for its own writer, and for the table of what cannot be carried. */
export interface Own {
  /** Members that no word of the neutral form stands for. */
  members: JsonObject;
  /** The same of objects within, by the member they are in. */
  within?: Record<string, Own>;
  /** Which of several names a member had: Google takes `mimeType` and `mime_type`. */
  names?: Record<string, string>;
  /** How something was written that can be written in several ways; nothing is lost without it. */
  spelling?: JsonObject;
}

/**
 * Reads an object that somebody else wrote. Each member that is taken has a word in the neutral form; what
 * nobody takes, or what is not of the expected type, is the dialect's own. So nothing gets lost unseen.
 */
export class Members {
  readonly #object: JsonObject;
  #taken: string[] = [];
  #names: Record<string, string> | undefined;
  #within: Record<string, Members> | undefined;
  #spelling: JsonObject | undefined;

  constructor(object: JsonObject) {
    this.#object = object;
  }

  string(name: string, alias?: string): string | null {
    return this.#take(name, alias, (value) => (typeof value === 'string' ? value : null));
  }

  number(name: string, alias?: string): number | null {
    return this.#take(name, alias, (value) => (typeof value === 'number' ? value : null));
  }

  boolean(name: string, alias?: string): boolean | null {
    return this.#take(name, alias, (value) => (typeof value === 'boolean' ? value : null));
  }

  /** An array with something in it. */
  list(name: string, alias?: string): unknown[] | null {
    return this.#take(name, alias, (value) => (Array.isArray(value) && value.length > 0 ? value : null));
  }

  strings(name: string, alias?: string): string[] | null {
    const all = (value: unknown) => asArray(value).filter((each) => typeof each === 'string');
    return this.#take(name, alias, (value) =>
      Array.isArray(value) && all(value).length === value.length ? all(value) : null,
    );
  }

  /** One of these words. */
  word<T extends string>(name: string, words: readonly T[], alias?: string): T | null {
    return this.#take(name, alias, (value) => words.find((word) => word === value) ?? null);
  }

  /** An object that is taken whole, such as a schema. */
  object(name: string, alias?: string): JsonObject | null {
    return this.#take(name, alias, asObject);
  }

  /** Whatever it is. */
  any(name: string, alias?: string): unknown {
    return this.#take(name, alias, (value) => value ?? null);
  }

  /** An object whose members are taken one by one; one without members stays the dialect's own. */
  within(name: string, alias?: string): Members | null {
    const actual = this.#actual(name, alias);
    const object = asObject(this.#object[actual]);
    if (!object || Object.keys(object).length === 0) return null;
    this.#note(name, actual);
    const members = new Members(object);
    this.#within = { ...this.#within, [name]: members };
    return members;
  }

  /** Takes the member only if it reads as something. */
  read<T>(name: string, read: (value: unknown) => T | null): T | null {
    return this.#take(name, undefined, read);
  }

  has(name: string): boolean {
    return this.#object[name] !== undefined;
  }

  isList(name: string): boolean {
    return Array.isArray(this.#object[name]);
  }

  /** Notes for the same dialect's writer how something was written. */
  spell(name: string, value: unknown): void {
    this.#spelling = { ...this.#spelling, [name]: value };
  }

  /** What is left, as the member `own` of a node of the neutral form. */
  own(): { own?: Own } {
    const own = this.#rest();
    return own ? { own } : {};
  }

  #rest(): Own | undefined {
    const members: JsonObject = {};
    let any = this.#names !== undefined || this.#spelling !== undefined;
    for (const name of Object.keys(this.#object)) {
      if (this.#taken.includes(name)) continue;
      members[name] = this.#object[name];
      any = true;
    }
    const within: Record<string, Own> = {};
    for (const name in this.#within) {
      const rest = this.#within[name]?.own().own;
      if (rest) within[name] = rest;
    }
    const hasWithin = Object.keys(within).length > 0;
    if (!any && !hasWithin) return undefined;
    return {
      members,
      ...(hasWithin && { within }),
      ...(this.#names && { names: this.#names }),
      ...(this.#spelling && { spelling: this.#spelling }),
    };
  }

  #take<T>(name: string, alias: string | undefined, read: (value: unknown) => T | null): T | null {
    const actual = this.#actual(name, alias);
    const value = this.#object[actual];
    const found = value === undefined || value === null ? null : read(value);
    if (found !== null) this.#note(name, actual);
    return found;
  }

  #actual(name: string, alias: string | undefined): string {
    return alias !== undefined && this.#object[name] === undefined ? alias : name;
  }

  #note(name: string, actual: string): void {
    this.#taken.push(actual);
    if (actual !== name) this.#names = { ...this.#names, [name]: actual };
  }
}

interface Node {
  own?: Own;
}

/** Writes objects; what was the dialect's own goes back only into its own words. */
export interface Pen {
  /** What is written comes from the same dialect. */
  same: boolean;
  /** An object of the members that say something; `blanks`: what is there in any case, if only to say nothing. */
  give(fields: JsonObject, node?: Node, blanks?: JsonObject): JsonObject;
  /** How it was written before. */
  spelled(node: Node, name: string): unknown;
}

export function penFor(read: SpokenName, written: SpokenName): Pen {
  return read === written
    ? {
        same: true,
        give: (fields, node) => give(fields, node?.own),
        spelled: (node, name) => node.own?.spelling?.[name],
      }
    : {
        same: false,
        give: (fields, _node, blanks) => (blanks ? { ...blanks, ...give(fields) } : give(fields)),
        spelled: () => undefined,
      };
}

function give(fields: JsonObject, own?: Own): JsonObject {
  const given: JsonObject = {};
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    if (value !== undefined && value !== null) given[own?.names?.[name] ?? name] = value;
  }
  if (!own) return given;
  for (const name in own.within) {
    const actual = own.names?.[name] ?? name;
    given[actual] = give(asObject(given[actual]) ?? {}, own.within[name]);
  }
  return { ...given, ...own.members };
}
