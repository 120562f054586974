import { asArray, asObject, asString, type JsonObject } from './json.ts';

/** Requests whose answers are never kept. */
export interface Never {
  /** Which they are, as docs/cache-key.md says it. */
  what: string;
  why: string;
  holds(request: JsonObject): boolean;
}

/** What of a request an answer depends on, and whether it may be given again. */
export interface Reuse {
  /** Members of the body that do not change the answer, each with the reason. */
  uncounted: ReadonlyMap<string, string>;
  never: readonly Never[];
  /** The request asks for the same answer each time: temperature 0, or a seed. */
  deterministic(request: JsonObject): boolean;
  /**
   * Uncounted members that the answer repeats, each with what it says where the request has none:
   * whoever is given the answer again is told its own.
   */
  echoed?: Readonly<Record<string, unknown>>;
}

/** Given: neither absent nor null, false or empty. */
export function isSet(value: unknown): boolean {
  return Array.isArray(value)
    ? value.length > 0
    : value !== undefined && value !== null && value !== false && value !== '';
}

/** The request sets one of these members. */
export function sets(...names: string[]): (request: JsonObject) => boolean {
  return (request) => names.some((name) => isSet(request[name]));
}

/** The request offers a tool of another type than these; one without a type is a function of the caller's. */
export function offersToolBeside(types: RegExp): (request: JsonObject) => boolean {
  return ({ tools }) =>
    asArray(tools).some((tool) => {
      const type = asString(asObject(tool)?.type);
      return type !== null && !types.test(type);
    });
}

/** Every object in a value, itself included, however deep. */
export function* objectsIn(value: unknown): Generator<JsonObject> {
  const left = [value];
  while (left.length > 0) {
    const each = left.pop();
    if (typeof each !== 'object' || each === null) continue;
    const object = asObject(each);
    if (object) yield object;
    for (const inner of Object.values(each)) if (typeof inner === 'object') left.push(inner);
  }
}

/** An address that somebody fetches, and no data in the request itself. */
export function isAddress(value: unknown): boolean {
  const address = asString(value) ?? asString(asObject(value)?.url);
  return address !== null && address !== '' && !/^data:/i.test(address);
}

export const zeroOrSeed = ({ temperature, seed }: JsonObject) =>
  temperature === 0 || typeof seed === 'number';

/** Reasons that several dialects share. */
export const reasons = {
  stream: 'the form of the answer: either is given from the other',
  user: 'a label: whom the provider asks about abuse',
  tier: 'price and speed of the same model; a kept answer costs nothing and comes at once',
  promptCache: 'where the provider keeps its own prompt cache: price, not content',
};
export const whys = {
  fetched: 'what lies at an address may change, with the request unchanged',
  tools:
    'what tools of the provider find or do (searches, code, MCP, files in a store) changes with the hour, or leaves something behind',
  state: 'the answer depends on what the provider keeps, or is kept there to be gone on with',
};
