import { type Pool, withConnection } from '../../db/pool.ts';
import { insertDeadLetters } from '../dead-letters.ts';
import type { Refusals } from '../group-commit.ts';
import {
  type Column,
  insertAllButFaulty,
  insertStatement,
  insertValues,
  storable,
  storableJson,
} from '../insert.ts';
import type { Attributes, Span } from '../otlp.ts';
import { instant } from '../usage-rows.ts';
import { missing, readable } from '../usage-span.ts';
import { organizationOf } from './genai-span.ts';

/** Longer values are cut. */
const maxChars = 1_024;
/** Prompts, answers and what tools were given are not recorded, by whatever name they come. */
const content =
  /^(gen_ai\.(prompt|completion|input\.messages|output\.messages|system_instructions|tool\.call\.(arguments|result))|llm\.(prompts|completions|input_messages|output_messages)|traceloop\.entity\.(input|output)|(input|output)\.value)/;

/** The columns of `spans` (src/db/migrations/0012_told.sql). */
const columns: Column<Span>[] = [
  ['trace_id', 'text', (span) => span.traceId],
  ['span_id', 'text', (span) => span.spanId],
  ['parent_span_id', 'text', (span) => span.parentSpanId],
  ['started_at', 'timestamptz', (span) => instant(span.startedAt)],
  ['duration_ms', 'float8', (span) => span.endedAt - span.startedAt],
  ['organization', 'text', (span) => storable(organizationOf(span))],
  ['name', 'text', (span) => storable(span.name.slice(0, maxChars))],
  ['kind', 'smallint', (span) => span.kind],
  ['failed', 'boolean', (span) => span.failed],
  ['service', 'text', (span) => cut(span.resource.get('service.name') ?? null)],
  ['attributes', 'jsonb', (span) => storableJson(kept(span.attributes))],
];
const statement = `${insertStatement('spans', columns)} ON CONFLICT DO NOTHING`;

/** Commits spans for their traces; the faulty become dead letters. */
export async function writeSpans(pool: Pool, spans: Span[], receivedAt: number): Promise<Refusals<Span>> {
  const refusals = new Map<Span, string>();
  for (const span of spans) {
    const fault = missing(span);
    if (fault) refusals.set(span, fault);
  }
  await withConnection(pool, async (client) => {
    const sound = spans.filter((span) => !refusals.has(span));
    const faulty = await insertAllButFaulty(sound, (part) =>
      client.query(statement, insertValues(columns, part, receivedAt)),
    );
    for (const [span, reason] of faulty) refusals.set(span, reason);
    const letters = [...refusals].map(([span, reason]) => ({
      reason,
      content: readable({ ...span, attributes: new Map(Object.entries(kept(span.attributes))) }),
    }));
    await insertDeadLetters(client, letters, receivedAt);
  });
  return refusals;
}

function kept(attributes: Attributes): Record<string, string | number | boolean> {
  const entries = [...attributes].filter(([name]) => !content.test(name));
  return Object.fromEntries(
    entries.map(([name, value]) => [name, typeof value === 'string' ? value.slice(0, maxChars) : value]),
  );
}

function cut(value: string | number | boolean | null): string | null {
  return value === null ? null : storable(String(value).slice(0, maxChars));
}

const forget = `
  DELETE FROM spans WHERE ctid IN (
    SELECT ctid FROM spans WHERE received_at <= to_timestamp($1::float8 / 1000) LIMIT 10000 FOR UPDATE SKIP LOCKED)`;

/** Forgets spans that came before an instant, some at a time. */
export async function forgetSpans(pool: Pool, before: number): Promise<void> {
  await pool.query(forget, [before]);
}
