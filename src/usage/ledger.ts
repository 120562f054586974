import { context, SpanKind, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import type { Logger } from 'pino';
import { startTelemetry } from '../telemetry/sdk.ts';
import { bounded } from './bounded.ts';
import { Journal } from './journal/journal.ts';
import { createOtlpClient, type OtlpEndpoint } from './journal/otlp-client.ts';
import type { Ledger, UsageRecord } from './record.ts';
import { readRecord, spanName, toAttributes } from './span.ts';

/**
 * The ledger of a processor: records become OpenTelemetry spans, lie in the journal under `root`, and
 * are sent to every OTLP endpoint until it has them.
 */
export function createLedger(options: {
  root: string;
  /** The collector first. */
  endpoints: [collector: OtlpEndpoint, ...others: OtlpEndpoint[]];
  version: string;
  log: Logger;
  maxBytes: number;
  /** Finishes the record of a call whose process died. */
  finish: (interrupted: UsageRecord) => UsageRecord;
  /** How often the journal is forced to the disk; undefined: when the system likes. */
  syncMs: number | undefined;
}) {
  const collector = createOtlpClient(options.endpoints[0]);
  const others = options.endpoints.slice(1).map(createOtlpClient);
  const clients = [collector, ...others];
  const journal = new Journal({
    root: options.root,
    endpoints: [collector.send, ...others.map(({ send }) => send)],
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
  function encode(full: UsageRecord): Buffer {
    const record = bounded(full);
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
    if (!bytes) throw new Error('OpenTelemetry made no span of a usage record');
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  const ledger: Ledger = {
    open: (record) => {
      const payload = Buffer.from(JSON.stringify(bounded(record)));
      return journal.append({ kind: 'open', spanId: record.spanId, payload });
    },
    close(record) {
      void journal.append({ kind: 'close', spanId: record.spanId, payload: encode(record) });
    },
    drain: (timeoutMs) => journal.drain(timeoutMs),
  };
  return {
    ...ledger,
    start: () => journal.start((open) => encode(options.finish(readRecord(open.toString('utf8'))))),
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
