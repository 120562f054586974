import type { Logger } from 'pino';
import type { Pool } from '../db/pool.ts';
import type { PriceSource } from '../exchange/baseline.ts';
import { type Workload, workloadName } from '../identity/identity.ts';
import type { Outcome, UsageRecord } from '../usage/record.ts';
import { fromSpan } from '../usage/span.ts';
import { type Connection, readConnection, writeConnections } from './connections.ts';
import { createGroupCommit, type GroupCommit } from './group-commit.ts';
import { createLastUsed } from './last-used.ts';
import type { Encoding, LogRecord, PartialSuccess, Signal, Span } from './otlp.ts';
import { fromGenAiSpan } from './told/genai-span.ts';
import { writeSpans } from './told/other-spans.ts';
import { writeTold } from './told/told-rows.ts';
import type { UsageSpan } from './usage-span.ts';
import { writeUsage } from './usage-writer.ts';
import { passedUnseen, readWitness, type Witness, writeWitnesses } from './witness.ts';

/** One Export call as it came in. */
export interface ExportRequest {
  signal: Signal;
  encoding: Encoding;
  body: Buffer;
  /** Of the sidecar that sends it. */
  workload?: Workload;
}

/** What an Export call is told. `taken`: in PostgreSQL, or nothing of weir's. */
export type Answer = { kind: 'taken'; partial: PartialSuccess | null } | Refusal;

/** Nothing was kept. The sender is to come again after `retryAfterMs`; without, it need not. */
export interface Refusal {
  kind: 'malformed' | 'busy' | 'unavailable';
  message: string;
  retryAfterMs?: number;
}

export const busy: Refusal = { kind: 'busy', message: 'the collector is busy', retryAfterMs: 1_000 };
const unavailable: Refusal = { kind: 'unavailable', message: 'the database is away', retryAfterMs: 2_000 };

// What a witness may still decide (settle.ts).
const openOutcomes = new Set<Outcome>(['unsettled', 'interrupted']);

/** Answers an Export call when its rows are committed; never rejects. */
export type Ingest = (request: ExportRequest) => Promise<Answer>;

/** What has come in since the start. */
export interface IngestCounts {
  usage: number;
  witness: number;
  /** Calls that others than weir told of. */
  told: number;
  /** Spans that were kept for their traces. */
  spans: number;
  /** Spans and log records that are nothing to weir. */
  ignored: number;
  refused: number;
  /** Calls that reached a provider while no processor looked. */
  passedUnseen: number;
  /** Connections that sidecars have told of. */
  connections: number;
}

/** Takes Export calls, merges them into few transactions, and answers each when its rows are committed. */
export function createIngest(options: {
  pool: Pool;
  log: Logger;
  now: () => number;
  /** For calls whose numbers come later than they. */
  source: PriceSource;
  /** Whether spans of others are kept. */
  traces: boolean;
  /** Told of exchanges that a witness may now settle. */
  settle(exchangeIds: string[]): void;
}) {
  const { pool, log, now, settle, source, traces } = options;
  const counts: IngestCounts = {
    usage: 0,
    witness: 0,
    told: 0,
    spans: 0,
    ignored: 0,
    refused: 0,
    passedUnseen: 0,
    connections: 0,
  };
  const bounds = { groupSize: 4_096, maxWaiting: 50_000, writers: 2 };
  const usage = createGroupCommit<UsageSpan>({
    ...bounds,
    write: (spans) => writeUsage(pool, spans, { receivedAt: now(), source, log }),
  });
  const told = createGroupCommit<UsageSpan>({
    ...bounds,
    write: (spans) => writeTold(pool, spans, { receivedAt: now(), source }),
  });
  const others = createGroupCommit<Span>({
    ...bounds,
    write: (spans) => writeSpans(pool, spans, now()),
  });
  const witnesses = createGroupCommit<Witness>({
    ...bounds,
    write: (items) => writeWitnesses(pool, items, now()),
  });
  const connections = createGroupCommit<Connection>({
    ...bounds,
    write: (items) => writeConnections(pool, items, now()),
  });
  const lastUsed = createLastUsed({ pool, log, now });
  let away = false;

  /** What was committed of `items`, or why nothing was. */
  async function commit<T>(group: GroupCommit<T>, items: T[]): Promise<{ committed: T[]; answer: Answer }> {
    if (items.length === 0) return { committed: [], answer: { kind: 'taken', partial: null } };
    const submission = group.submit(items);
    if (!submission) return { committed: [], answer: busy };
    try {
      const refusals = await submission;
      if (away) log.info('the database is back');
      away = false;
      const committed = items.filter((item) => !refusals.has(item));
      const refused = items.filter((item) => refusals.has(item));
      const reason = refused[0] && refusals.get(refused[0]);
      if (reason === undefined) return { committed, answer: { kind: 'taken', partial: null } };
      counts.refused += refused.length;
      log.warn({ count: refused.length }, 'PostgreSQL refused records: they are in dead_letters');
      return { committed, answer: { kind: 'taken', partial: { rejected: refused.length, reason } } };
    } catch (error) {
      if (!away) log.error({ err: error }, 'the database takes no records: senders will come again');
      away = true;
      return { committed: [], answer: unavailable };
    }
  }

  async function takeSpans(spans: Span[]): Promise<Answer> {
    const ours = spans.flatMap((span) => readUsage(span, fromSpan));
    const own = new Set(ours.map(({ span }) => span));
    const foreign = spans.filter((span) => !own.has(span));
    const calls = foreign.flatMap((span) => readUsage(span, fromGenAiSpan));
    const kept = traces ? foreign : [];
    const [usageTaken, toldTaken, keptTaken] = await Promise.all([
      commit(usage, ours),
      commit(told, calls),
      commit(others, kept),
    ]);
    const { committed } = usageTaken;
    counts.usage += committed.length;
    counts.told += toldTaken.committed.length;
    counts.spans += keptTaken.committed.length;
    lastUsed.saw(committed.map(({ record }) => record));
    settle(committed.flatMap(({ record }) => (openOutcomes.has(record.outcome) ? [record.id] : [])));
    const answer = together([usageTaken.answer, toldTaken.answer, keptTaken.answer]);
    if (answer.kind === 'taken' && !traces) counts.ignored += foreign.length - calls.length;
    return answer;
  }

  async function takeLogs(records: LogRecord[], ours: Witness[]): Promise<Answer> {
    const { committed, answer } = await commit(witnesses, ours);
    if (answer.kind === 'taken') counts.ignored += records.length - ours.length;
    counts.witness += committed.length;
    counts.passedUnseen += committed.filter(passedUnseen).length;
    settle(committed.flatMap(({ exchangeId }) => exchangeId ?? []));
    return answer;
  }

  async function takeConnections(ours: Connection[]): Promise<Answer> {
    const { committed, answer } = await commit(connections, ours);
    counts.connections += committed.length;
    return answer;
  }

  const ingest: Ingest = async ({ signal, encoding, body, workload }) => {
    try {
      if (signal === 'traces') {
        return takeSpans(encoding.decodeSpans(body));
      }
      const records = encoding.decodeLogs(body);
      const seen = records.flatMap((record) => readConnection(record, workload ?? null) ?? []);
      const whose = workload ? workloadName(workload) : null;
      const counted = await takeConnections(seen);
      if (counted.kind !== 'taken') return counted;
      return takeLogs(
        records,
        records.flatMap((record) => readWitness(record, whose) ?? []),
      );
    } catch (error) {
      return { kind: 'malformed', message: error instanceof Error ? error.message : 'not an OTLP request' };
    }
  };

  return {
    ingest,
    counts: counts as Readonly<IngestCounts>,
    /** Resolves when everything taken is answered. */
    async drain(): Promise<void> {
      await Promise.all([usage, told, others, witnesses, connections].map((group) => group.drain()));
      await lastUsed.drain();
    },
  };
}

function readUsage(span: Span, read: (span: Span) => UsageRecord | null): UsageSpan[] {
  const record = read(span);
  return record ? [{ span, record }] : [];
}

/** One answer for parts of a request: what was not taken is sent again as a whole. */
function together(answers: Answer[]): Answer {
  const refused = answers.find(({ kind }) => kind !== 'taken');
  if (refused) return refused;
  const partial = answers.flatMap((answer) => (answer.kind === 'taken' && answer.partial) || []);
  const [first] = partial;
  if (!first) return { kind: 'taken', partial: null };
  return {
    kind: 'taken',
    partial: { ...first, rejected: partial.reduce((sum, each) => sum + each.rejected, 0) },
  };
}
