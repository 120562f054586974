import type { PoolClient } from 'pg';
import { type Column, insertStatement, insertValues, storable, storableJson } from './insert.ts';

/** Something that was sent and will never be a row. */
export interface DeadLetter {
  reason: string;
  content: object;
}

const columns: Column<DeadLetter>[] = [
  ['reason', 'text', ({ reason }) => storable(reason)],
  ['span', 'jsonb', ({ content }) => storableJson(content)],
];
const statement = `${insertStatement('dead_letters', columns)} ON CONFLICT DO NOTHING`;

/** Keeps what could not be stored, once each. */
export async function insertDeadLetters(
  client: PoolClient,
  letters: DeadLetter[],
  receivedAt: number,
): Promise<void> {
  if (letters.length > 0) await client.query(statement, insertValues(columns, letters, receivedAt));
}
