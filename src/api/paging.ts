import { z } from 'zod';
import type { Pool } from '../db/pool.ts';
import { Problem } from './problem.ts';

/** The parameters of every list. */
export const pageQuery = {
  cursor: z.string().min(1).max(500).optional().describe('The `next_cursor` of the page before.'),
  limit: z.coerce.number().int().min(1).max(1000).default(100).describe('Entries on a page.'),
};

/** A page of entries, and the cursor of the next one; null: this was the last. */
export function pageOf<T extends z.ZodType>(name: string, entry: T) {
  return z.object({ [name]: z.array(entry), next_cursor: z.string().nullable() });
}

export interface PageQuery {
  cursor?: string | undefined;
  limit: number;
}

export interface Page<Row> {
  rows: Row[];
  next_cursor: string | null;
}

/** What lists go by: columns that together name one row, and their types. */
export type Order = Readonly<Record<string, 'timestamptz' | 'text' | 'bigint' | 'integer'>>;
export const newest: Order = { created_at: 'timestamptz', id: 'text' };

/** A page of the rows that `sql` selects, the highest by `order` first. Throws a Problem for a strange cursor. */
export async function listPage<Row extends object>(
  pool: Pool,
  query: { sql: string; values: unknown[]; order: Order; page: PageQuery },
): Promise<Page<Row>> {
  const { sql, values, order, page } = query;
  const columns = Object.keys(order);
  const place = page.cursor === undefined ? null : decode(page.cursor, columns.length);
  const after = Object.values(order).map((type, index) => `$${values.length + index + 1}::${type}`);
  const given = [...values, ...(place ?? columns.map(() => null)), page.limit + 1];
  const found = await pool
    .query<Row & { place: string[] }>(
      `SELECT *, ARRAY[${columns.map((name) => `${name}::text`).join(', ')}] AS place FROM (${sql}) AS list
        WHERE ${after[0]} IS NULL OR (${columns.join(', ')}) < (${after.join(', ')})
        ORDER BY ${columns.map((name) => `${name} DESC`).join(', ')}
        LIMIT $${given.length}`,
      given,
    )
    .catch((error: unknown) => {
      if (place && error instanceof Error && 'code' in error && /^22/.test(String(error.code)))
        throw strange();
      throw error;
    });
  const rows = found.rows.slice(0, page.limit);
  const last = rows.at(-1);
  return {
    rows,
    next_cursor: found.rows.length > page.limit && last ? encode(last.place) : null,
  };
}

function encode(place: string[]): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url');
}

function decode(cursor: string, length: number): string[] {
  try {
    return z
      .array(z.string())
      .length(length)
      .parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch {
    throw strange();
  }
}

function strange(): Problem {
  return new Problem(400, 'invalid_parameter', 'cursor: expected a next_cursor of this list');
}
