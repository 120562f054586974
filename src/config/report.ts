import type { z } from 'zod';
import { nearest } from './errors.ts';
import { members, type Path, type Schema, schemaAt, valueAt } from './introspect.ts';

type Fail = (path: Path, message: string) => void;

/** Says what zod found wrong, in the words of weir.yaml. */
export function report(issue: z.core.$ZodIssue, schema: Schema, document: unknown, fail: Fail): void {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
  const value = valueAt(document, path);
  const found = `found ${isSecret(path) ? 'something else' : JSON.stringify(value)}`;
  if (issue.code === 'unrecognized_keys') {
    const at = schemaAt(schema, path);
    const known = Object.keys((at && members(at)) ?? {});
    for (const key of issue.keys) {
      const meant = nearest(key, known);
      fail([...path, key], `unknown key; ${meant ? `did you mean ${meant}?` : `known: ${known.join(', ')}`}`);
    }
  } else if (issue.code === 'invalid_value') {
    fail(
      path,
      `${value === undefined ? 'missing' : found}; expected one of ${issue.values.map(String).join(', ')}`,
    );
  } else if (value === undefined && issue.code === 'invalid_type') {
    fail(path, `missing; expected ${kinds[issue.expected] ?? issue.expected}`);
  } else if (issue.code === 'invalid_type') {
    fail(path, `expected ${kinds[issue.expected] ?? issue.expected}, ${found}`);
  } else if (issue.code === 'invalid_format') {
    fail(path, `expected ${issue.message}, ${found}`);
  } else if (issue.code === 'too_small' && issue.origin !== 'array') {
    fail(path, `expected ${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}, ${found}`);
  } else if (issue.code === 'too_big') {
    fail(path, `expected at most ${issue.maximum}, ${found}`);
  } else if (issue.code === 'invalid_key') {
    fail(path, `expected ${issue.issues.map(({ message }) => message).join(', ')}`);
  } else {
    fail(path, issue.message);
  }
}

const kinds: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'keys and values',
  record: 'keys and values',
};

/** What may hold a key or a password is not shown. */
function isSecret(path: Path): boolean {
  return /key|url|password|secret|token/.test(String(path.at(-1)));
}
