import { asArray, asObject, type JsonObject } from './json.ts';
import type { JsonOutput } from './neutral.ts';

/** Deeper schemas are taken as they are. */
const maxDepth = 64;
/** Keywords that hold a schema, a list of schemas, schemas by name. */
const holders = {
  one: ['items', 'additionalProperties', 'not'],
  list: ['anyOf', 'oneOf', 'allOf', 'prefixItems'],
  named: ['properties', '$defs', 'definitions', 'patternProperties'],
};

/** Each schema in a schema, changed from the inside out. */
function mapSchema(schema: JsonObject, change: (schema: JsonObject) => JsonObject, depth = 0): JsonObject {
  if (depth > maxDepth) return schema;
  const inner = (value: unknown) => {
    const object = asObject(value);
    return object ? mapSchema(object, change, depth + 1) : value;
  };
  const mapped: JsonObject = { ...schema };
  for (const name of holders.one) if (schema[name] !== undefined) mapped[name] = inner(schema[name]);
  for (const name of holders.list) if (Array.isArray(schema[name])) mapped[name] = schema[name].map(inner);
  for (const name of holders.named) {
    const named = asObject(schema[name]);
    if (named)
      mapped[name] = Object.fromEntries(Object.entries(named).map(([key, value]) => [key, inner(value)]));
  }
  return change(mapped);
}

/**
 * Google's Schema (a subset of OpenAPI 3.0) as JSON Schema: types in lower case, `nullable` as a type,
 * counts as numbers, and without the order of properties.
 */
export function fromOpenApi(schema: JsonObject): JsonObject {
  return mapSchema(schema, ({ nullable, propertyOrdering: _, example, ...rest }) => {
    const type = typeof rest.type === 'string' ? rest.type.toLowerCase() : rest.type;
    const changed: JsonObject = { ...rest };
    if (type !== undefined) changed.type = nullable === true ? [type, 'null'] : type;
    if (nullable === true && Array.isArray(rest.enum)) changed.enum = [...rest.enum, null];
    if (rest.format === 'enum') delete changed.format;
    if (example !== undefined) changed.examples = [example];
    for (const name of ['minItems', 'maxItems', 'minLength', 'maxLength', 'minProperties', 'maxProperties'])
      if (typeof rest[name] === 'string') changed[name] = Number(rest[name]);
    return changed;
  });
}

/**
 * For OpenAI, which follows a schema exactly only when objects are closed and all their properties required.
 * Anthropic and Google always follow it, and write no properties that are not in it: their objects are
 * closed here. Where a property may be left out OpenAI can only be asked to try.
 */
export function strictSchema(output: JsonOutput): JsonOutput {
  const { schema } = output;
  const name = output.name ?? 'answer';
  if (!schema) return { ...output, name };
  let exact = true;
  const closed = mapSchema(schema, (each) => {
    const properties = asObject(each.properties);
    if (!properties && each.type !== 'object') return each;
    const required = asArray(each.required);
    exact &&= Object.keys(properties ?? {}).every((key) => required.includes(key));
    return { additionalProperties: false, ...each };
  });
  return { ...output, name, schema: exact ? closed : schema, strict: exact };
}
