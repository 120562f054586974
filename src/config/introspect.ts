import type { z } from 'zod';

type Schema = z.core.$ZodType;

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

/** The schema of all values of a record, or of the elements of a list. */
export function elements(schema: Schema): Schema | undefined {
  const { valueType, element } = definition(unwrap(schema));
  return valueType ?? element;
}
