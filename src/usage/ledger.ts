import { context, SpanKind, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import type { Logger } from 'pino';
import { startTelemetry } from '../telemetry/sdk.ts';
import { Journal } from './journal/journal.ts';
import { createOtlpClient, type OtlpEndpoint } from './journal/otlp-client.ts';
import type { Ledger, UsageRecord } from './record.ts';
import { spanName, toAttributes } from './span.ts';

/**
 * The ledger of a processor: records become OpenTelemetry spans, lie in the journal under `root`, and
 * are sent to every OTLP endpoint until it has them.
 */
export function createLedger(options: {
  root: string;
  endpoints: OtlpEndpoint[];
  version: string;
  log: Logger;
  maxBytes: number;
  /** Finishes the record of a call whose process died. */
  finish: (interrupted: UsageRecord) => UsageRecord;
  /** How often the journal is forced to the disk; undefined: when the system likes. */
  syncMs: number | undefined;
}) {
  const clients = options.endpoints.map(createOtlpClient);
  const journal = new Journal({
    root: options.root,
    endpoints: clients.map(({ send }) => send),
    log: options.log,
    maxBytes: options.maxBytes,
    syncMs: options.syncMs,
  });
  let ended: ReadableSpan | null = null;
  const telemetry = startTelemetry({
    version: options.version,
    onEnd: (span) => {
      ended = span;
    },
  });

  /** The finished span of a record, as OTLP. */
  function encode(record: UsageRecord): Buffer | null {
    telemetry.useIds(record);
    const parent = record.parentSpanId
      ? trace.setSpanContext(context.active(), {
          traceId: record.traceId,
          spanId: record.parentSpanId,
          traceFlags: TraceFlags.SAMPLED,
          isRemote: true,
        })
      : context.active();
    const attributes = toAttributes(record);
    const startTime = hrTime(record.startedAt);
    const span = telemetry.tracer.startSpan(
      spanName(record),
      { kind: SpanKind.CLIENT, startTime, attributes, root: record.parentSpanId === null },
      parent,
    );
    if (record.outcome !== 'completed')
      span.setStatus({ code: SpanStatusCode.ERROR, message: record.outcome });
    span.end(hrTime(Math.max(record.endedAt, record.startedAt)));
    const bytes = ended && ProtobufTraceSerializer.serializeRequest([ended]);
    ended = null;
    return bytes ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) : null;
  }

  const ledger: Ledger = {
    open: (record) =>
      journal.append({ kind: 'open', spanId: record.spanId, payload: Buffer.from(JSON.stringify(record)) }),
    close(record) {
      const payload = encode(record);
      if (payload) void journal.append({ kind: 'close', spanId: record.spanId, payload });
    },
    drain: (timeoutMs) => journal.drain(timeoutMs),
  };
  return {
    ...ledger,
    start: () =>
      journal.start((open) => encode(options.finish(JSON.parse(open.toString('utf8')) as UsageRecord))),
    async stop(): Promise<void> {
      await journal.stop();
      await Promise.all(clients.map((client) => client.close()));
      await telemetry.shutdown();
    },
  };
}

/** Epoch milliseconds with fractions as seconds and nanoseconds, to the microsecond that PostgreSQL keeps. */
function hrTime(ms: number): [number, number] {
  const micros = Math.round(ms * 1000);
  return [Math.floor(micros / 1_000_000), (micros % 1_000_000) * 1000];
}
