import { parse } from 'yaml';
import { z } from 'zod';
import { elements, type Path, type Schema, schemaAt, unwrap } from './introspect.ts';

export type Environment = Record<string, string | undefined>;

/** A value that was written as text, such as the value of a variable, as its schema wants it. */
export function fromText(text: string, schema: Schema): unknown {
  const kind = unwrap(schema);
  if (kind instanceof z.ZodNumber && /^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (kind instanceof z.ZodBoolean && /^(true|false)$/.test(text)) return text === 'true';
  if (kind instanceof z.ZodUnion && text.includes(',')) return commaList(text);
  if (kind instanceof z.ZodArray) {
    const element = elements(kind);
    return element && unwrap(element) instanceof z.ZodString ? commaList(text) : flowList(text);
  }
  return text;
}

function commaList(text: string): string[] {
  return text.split(',').map((each) => each.trim());
}

/** A list of more than words is written as in the file: `[{ name: a, … }]`. */
function flowList(text: string): unknown {
  try {
    return parse(text, { logLevel: 'silent' });
  } catch {
    return text;
  }
}

const reference = /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{[^}]*\}?/g;

/**
 * Replaces `${NAME}` and `${NAME:-default}` in all texts of a document, and leaves out keys without a value.
 * What `skip` names is left as it is.
 */
export function interpolate(
  document: unknown,
  options: {
    env: Environment;
    schema: Schema;
    skip: (path: Path) => boolean;
    fail: (path: Path, message: string) => void;
  },
  path: Path = [],
): unknown {
  if (options.skip(path)) return document;
  if (Array.isArray(document)) {
    return document.map((each, index) => interpolate(each, options, [...path, index]));
  }
  if (typeof document === 'object' && document !== null) {
    return Object.fromEntries(
      Object.entries(document)
        .filter(([, each]) => each !== null)
        .map(([key, each]) => [key, interpolate(each, options, [...path, key])]),
    );
  }
  if (typeof document !== 'string') return document;
  const text = document.replace(reference, (all, name: string | undefined, otherwise: string | undefined) => {
    const found = name === undefined ? undefined : options.env[name];
    // As in a shell, `:-` also stands in for what is set and empty.
    const value = found || (otherwise ?? found);
    if (value !== undefined) return value;
    options.fail(
      path,
      name === undefined
        ? `${all} names no variable: write \${NAME} or \${NAME:-default}`
        : `${all} is not set in the environment; set it, or write \${${name}:-default}`,
    );
    return '';
  });
  const schema = schemaAt(options.schema, path);
  return text === document || !schema ? text : fromText(text, schema);
}
