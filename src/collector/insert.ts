import type { Refusals } from './group-commit.ts';

/** A column of an INSERT … SELECT FROM unnest(…): its name, its type, and its value in an item. */
export type Column<T> = readonly [
  name: string,
  type: string,
  value: (item: T) => string | number | boolean | null,
];

/** `INSERT INTO table (…) SELECT … FROM unnest(…)`, an array of values a column, then `$n` for `received_at`. */
export function insertStatement<T>(table: string, columns: readonly Column<T>[]): string {
  const names = columns.map(([name]) => name).join(', ');
  const arrays = columns.map(([, type], index) => `$${index + 1}::${type}[]`).join(', ');
  const receivedAt = `to_timestamp($${columns.length + 1}::float8 / 1000)`;
  return `INSERT INTO ${table} (${names}, received_at) SELECT *, ${receivedAt} FROM unnest(${arrays})`;
}

/** The parameters of an insertStatement. */
export function insertValues<T>(
  columns: readonly Column<T>[],
  items: readonly T[],
  receivedAt: number,
): (string | number)[] {
  return [...columns.map(([, , value]) => arrayLiteral(items, value)), receivedAt];
}

/** An array as PostgreSQL writes it; a third of the work of leaving it to pg. */
function arrayLiteral<T>(items: readonly T[], value: Column<T>[2]): string {
  let literal = '';
  for (const item of items) {
    const element = value(item);
    literal += literal === '' ? '{' : ',';
    if (element === null) literal += 'NULL';
    else if (typeof element !== 'string') literal += element;
    else literal += `"${/["\\]/.test(element) ? element.replace(/["\\]/g, '\\$&') : element}"`;
  }
  return `${literal}}`;
}

/** Text as PostgreSQL can keep it: it has no NUL. */
export function storable(text: string): string {
  return text.includes('\0') ? text.replaceAll('\0', '\uFFFD') : text;
}

/** JSON as jsonb takes it: without NUL and halves of surrogate pairs. */
export function storableJson(value: object): string {
  const text = JSON.stringify(value);
  if (!text.includes('\\u')) return text;
  return JSON.stringify(clean(value));
}

function clean(value: unknown): unknown {
  if (typeof value === 'string') return storable(value.toWellFormed());
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(clean);
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [clean(key), clean(member)]));
}

/**
 * Inserts all items, or, when PostgreSQL finds fault with one, all but the faulty: halves are tried until
 * the culprits are alone. Returns those with the reason. Throws when the fault is not in the items.
 */
export async function insertAllButFaulty<T>(
  items: readonly T[],
  insert: (items: readonly T[]) => Promise<unknown>,
): Promise<Refusals<T>> {
  const refusals = new Map<T, string>();
  const attempt = async (part: readonly T[]): Promise<void> => {
    try {
      await insert(part);
    } catch (error) {
      const [first] = part;
      if (first === undefined || !isFaultOfRow(error)) throw error;
      if (part.length === 1) {
        refusals.set(first, error.message);
        return;
      }
      const half = part.length >> 1;
      await attempt(part.slice(0, half));
      await attempt(part.slice(half));
    }
  };
  if (items.length > 0) await attempt(items);
  return refusals;
}

/** SQLSTATE classes 22 (data), 23 (constraints), 54 (too large for an index): will fail as often as it is tried. */
function isFaultOfRow(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && /^(22|23|54)/.test(String(error.code));
}
