/** Reading of JSON that somebody else wrote: nothing is taken for granted, nothing throws. */
export type JsonObject = Record<string, unknown>;

export function asObject(value: unknown): JsonObject | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null;
}

export function asArray(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

export function asString(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** A count: a whole number from 0 up; anything else is null. */
export function asCount(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

/** The first that is a count. */
export function firstCount(...values: unknown[]): number | null {
  for (const value of values) {
    const count = asCount(value);
    if (count !== null) return count;
  }
  return null;
}

/** A number that is one: neither infinite nor NaN. */
export function asNumber(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

/** Parses JSON in UTF-8; undefined when it is none. */
export function parseJson(bytes: Uint8Array): unknown {
  return readJson(bytes)?.value;
}

/** JSON in UTF-8 as a text and what it says; null when it is none. */
export function readJson(bytes: Uint8Array): { text: string; value: unknown } | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return { text, value: JSON.parse(text) };
  } catch {
    return null;
  }
}

const read = new WeakMap<Uint8Array, ReturnType<typeof readJson>>();

/** The same, done once for each body: what reads its facts and what translates it share the work. */
export function readOnce(bytes: Uint8Array): ReturnType<typeof readJson> {
  const known = read.get(bytes);
  if (known !== undefined) return known;
  const json = readJson(bytes);
  read.set(bytes, json);
  return json;
}

/** A value as JSON; empty where it is nested deeper than can be written. */
export function jsonText(value: unknown): string {
  try {
    return JSON.stringify(value) ?? '';
  } catch {
    return '';
  }
}
