import { z } from 'zod';
import type { Pool } from '../db/pool.ts';
import { defaultOrganization } from '../identity/store.ts';
import { fromSpan } from '../usage/span.ts';
import type { Attributes, Span } from './otlp.ts';
import { fromGenAiSpan } from './told/genai-span.ts';
import { writeSpans } from './told/other-spans.ts';
import { writeTold } from './told/told-rows.ts';
import { writeUsage } from './usage-writer.ts';
import { writeWitnesses } from './witness.ts';

/** How trying a dead letter again went. */
export type Retried = { kind: 'taken' } | { kind: 'refused'; reason: string };
type Options = Pick<Parameters<typeof writeUsage>[2], 'source' | 'log'> & { pool: Pool; now: () => number };

const scalar = z.union([z.string(), z.number(), z.boolean()]);
// JSON has no NaN: it became null.
const attributes = z
  .record(z.string(), scalar.nullable())
  .default({})
  .transform(
    (record): Attributes =>
      new Map(Object.entries(record).map(([name, value]) => [name, value ?? Number.NaN])),
  );

/** A span as `readable` wrote it, also before it told of more. */
const span = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().nullable(),
  startedAt: z.number(),
  endedAt: z.number(),
  attributes,
  name: z.string().default(''),
  kind: z.int().default(0),
  failed: z.boolean().default(false),
  resource: attributes,
});

const text = z.string().nullable();
const witness = z.object({
  exchangeId: text,
  startedAt: text,
  method: text,
  path: text,
  authority: text,
  status: text,
  responseFlags: text,
  codeDetails: text,
  upgrade: text,
  bytesReceived: text,
  bytesSent: text,
  durationMs: text,
  upstreamCluster: text,
  upstreamHost: text,
  workload: z.string().nullable().default(null),
});

/**
 * Writes once more what was refused, such as after an upgrade. It is a letter no more when it is taken; when it is
 * refused again the letter has the new reason. null: there is none of this number for the organization.
 */
export async function retryLetter(
  organization: string,
  id: number,
  options: Options,
): Promise<Retried | null> {
  const { pool } = options;
  const { rows } = await pool.query<{ span: unknown }>(
    `SELECT span FROM dead_letters WHERE id = $2 AND ${letterOf} = $1`,
    [organization, id],
  );
  const [letter] = rows;
  if (!letter) return null;
  const reason = await write(letter.span, options);
  if (reason === null) {
    await pool.query('DELETE FROM dead_letters WHERE id = $1', [id]);
    return { kind: 'taken' };
  }
  await pool.query('UPDATE dead_letters SET reason = $2 WHERE id = $1', [id, reason]);
  return { kind: 'refused', reason };
}

/** Whose a letter is, in SQL; what nobody is named in is of the organization that everyone is of at first. */
export const letterOf = `coalesce(span->'attributes'->>'weir.organization', span->'resource'->>'weir.organization', '${defaultOrganization}')`;

/** null: it is taken; else why not. */
async function write(content: unknown, { pool, now, ...options }: Options): Promise<string | null> {
  const sent = span.safeParse(content).data;
  if (sent) return writeSpan(sent, { pool, now, ...options });
  const line = witness.safeParse(content).data;
  if (!line) return 'nothing that the collector takes: what it was made of has changed since';
  const refusals = await writeWitnesses(pool, [line], now());
  return refusals.get(line) ?? null;
}

async function writeSpan(sent: Span, { pool, now, ...options }: Options): Promise<string | null> {
  const [own, told] = [fromSpan(sent), fromGenAiSpan(sent)];
  if (own) {
    const item = { span: sent, record: own };
    return (await writeUsage(pool, [item], { receivedAt: now(), ...options })).get(item) ?? null;
  }
  if (told) {
    const item = { span: sent, record: told };
    return (await writeTold(pool, [item], { receivedAt: now(), ...options })).get(item) ?? null;
  }
  return (await writeSpans(pool, [sent], now())).get(sent) ?? null;
}
