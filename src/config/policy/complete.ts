import { elements, members, type Schema, values } from '../introspect.ts';

/**
 * A document with all that it leaves open written in, as one would write it: durations stay text. `base`
 * (the `defaults` of weir.yaml) counts before the defaults of the schema.
 */
export function completeDocument(schema: Schema, base: unknown, document: unknown): unknown {
  return fillIn(schema, mergeDocuments(base, document));
}

/** `document` over `base`: keys by key, lists as a whole. */
export function mergeDocuments(base: unknown, document: unknown): unknown {
  if (document === undefined) return base;
  if (!isRecord(base) || !isRecord(document)) return document;
  const merged = Object.entries(document).map(([key, value]) => [key, mergeDocuments(base[key], value)]);
  return { ...base, ...Object.fromEntries(merged) };
}

function fillIn(schema: Schema, given: unknown): unknown {
  const value = given === undefined ? fallbackOf(schema) : given;
  if (Array.isArray(value)) {
    const element = elements(schema);
    return element ? value.map((each) => fillIn(element, each)) : value;
  }
  if (!isRecord(value)) return value;
  const each = values(schema);
  const shape =
    members(schema) ?? (each ? Object.fromEntries(Object.keys(value).map((key) => [key, each])) : {});
  // In the order of the schema, however it was written.
  return Object.fromEntries(
    Object.entries(shape)
      .map(([key, member]) => [key, fillIn(member, value[key])] as const)
      .filter(([, member]) => member !== undefined),
  );
}

/** What the schema takes for what is not said, as it would be written. */
function fallbackOf(schema: Schema): unknown {
  const { defaultValue, innerType } = schema._zod.def as { defaultValue?: unknown; innerType?: Schema };
  return defaultValue ?? (innerType ? fallbackOf(innerType) : undefined);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
