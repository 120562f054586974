import type { z } from 'zod';

export type Schema = z.core.$ZodType;
/** The way to a value in the document. */
export type Path = (string | number)[];

/** What a definition may hold, whatever its kind. */
interface Def {
  shape?: Record<string, Schema>;
  valueType?: Schema;
  element?: Schema;
  innerType?: Schema;
  in?: Schema;
}

function definition(schema: Schema): Def {
  return schema._zod.def as Def;
}

/** The schema behind defaults and transformations. */
export function unwrap(schema: Schema): Schema {
  const { innerType, in: input } = definition(schema);
  const inner = innerType ?? input;
  return inner ? unwrap(inner) : schema;
}

/** The members of an object, by name; undefined for anything else. */
export function members(schema: Schema): Record<string, Schema> | undefined {
  return definition(unwrap(schema)).shape;
}

/** The schema of all values of a record, whose names are free. */
export function values(schema: Schema): Schema | undefined {
  return definition(unwrap(schema)).valueType;
}

/** The schema of the elements of a list. */
export function elements(schema: Schema): Schema | undefined {
  return definition(unwrap(schema)).element;
}

/** The schema of what lies at a path. */
export function schemaAt(schema: Schema, path: Path): Schema | undefined {
  return path.reduce<Schema | undefined>(
    (at, part) => at && (members(at)?.[part] ?? values(at) ?? elements(at)),
    schema,
  );
}

/** What lies at a path of a document. */
export function valueAt(document: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (at, part) =>
      typeof at === 'object' && at !== null && Object.hasOwn(at, part) ? Reflect.get(at, part) : undefined,
    document,
  );
}
