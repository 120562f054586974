import { isDeepStrictEqual } from 'node:util';
import { asObject, type JsonObject } from './json.ts';

/** What cannot be put together soundly: the answer is not given in the other form. */
export class CannotGather extends Error {}

/**
 * Makes one value of all that a stream said of a member, in the order of its coming; undefined: the whole
 * has no such member. Throws CannotGather.
 */
export type Combine = (values: unknown[]) => unknown;

/** What says something: neither null nor empty. */
function filled(values: unknown[]): unknown[] {
  return values.filter(isFilled);
}

function isFilled(value: unknown): boolean {
  if (typeof value !== 'object') return value !== '';
  return value !== null && ('rawJSON' in value || Object.keys(value).length > 0);
}

/** Said once, or the same each time. */
export const same: Combine = (values) => {
  const [first, ...rest] = filled(values);
  if (first === undefined) return values.at(-1);
  if (!rest.every((each) => each === first || isDeepStrictEqual(each, first)))
    throw new CannotGather('it changes');
  return first;
};

/** Said once: what is not known may be a part of a text, and parts can be equal by chance. */
export const once: Combine = (values) => {
  if (filled(values).length > 1) throw new CannotGather('it comes in parts');
  return filled(values)[0] ?? values.at(-1);
};

/** The last that says something. */
export const last: Combine = (values) => filled(values).at(-1) ?? values.at(-1);

/** The first that says something. */
export const first: Combine = (values) => filled(values)[0] ?? values[0];

/** Texts in a row; null if there was none. */
export const joined: Combine = (values) => {
  const texts = values.filter((value) => value !== null);
  if (!texts.every((text) => typeof text === 'string')) throw new CannotGather('it is no text');
  return texts.length === 0 ? null : texts.join('');
};

/** Lists one behind the other; null if there was none. */
export const lists: Combine = (values) => {
  const found = values.filter((value) => value !== null);
  if (!found.every((list) => Array.isArray(list))) throw new CannotGather('it is no list');
  return found.length === 0 ? null : found.flat();
};

/** What the whole does not have. */
export const dropped: Combine = () => undefined;

/** Objects, each member by its rule; null if there was none. */
export function objects(rules: Readonly<Record<string, Combine>>, otherwise: Combine): Combine {
  return (values) => {
    const found = values.filter((value) => value !== null).map(asObject);
    if (found.length === 0) return null;
    return gather(found, rules, otherwise);
  };
}

/** Parts of objects in lists, put together by their index, in the order of the index. */
export function byIndex(rules: Readonly<Record<string, Combine>>, otherwise: Combine): Combine {
  return (values) => {
    const parts = lists(values);
    if (!Array.isArray(parts)) return parts;
    const groups = new Map<number, JsonObject[]>();
    for (const part of parts) {
      const object = asObject(part);
      const index = object?.index ?? 0;
      if (!object || typeof index !== 'number') throw new CannotGather('it has no place');
      const group = groups.get(index);
      if (group) group.push(object);
      else groups.set(index, [object]);
    }
    return [...groups].sort(([a], [b]) => a - b).map(([, group]) => gather(group, rules, otherwise));
  };
}

/** One object of the parts of it. */
export function gather(
  parts: readonly (JsonObject | null)[],
  rules: Readonly<Record<string, Combine>>,
  otherwise: Combine,
): JsonObject {
  const said = new Map<string, unknown[]>();
  for (const part of parts) {
    if (!part) throw new CannotGather('it is no object');
    for (const [name, value] of Object.entries(part)) {
      const values = said.get(name);
      if (values) values.push(value);
      else said.set(name, [value]);
    }
  }
  const whole: [string, unknown][] = [];
  for (const [name, values] of said) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : otherwise;
    const value = rule?.(values);
    if (value !== undefined) whole.push([name, value]);
  }
  return Object.fromEntries(whole);
}
