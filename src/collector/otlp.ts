/** An attribute's value; 64-bit integers beyond 2^53 lose their last digits. */
export type AttributeValue = string | number | boolean | null | Uint8Array | AttributeValue[] | Attributes;
export type Attributes = { [key: string]: AttributeValue };

/** What the collector reads of a span. Ids are lower-case hex, '' when absent. */
export interface Span {
  traceId: string;
  spanId: string;
  parentSpanId: string;
  name: string;
  /** Epoch milliseconds, exact to the microsecond; 0 when absent. */
  startedAt: number;
  endedAt: number;
  attributes: Attributes;
}

/** What the collector reads of a log record. */
export interface LogRecord {
  /** Epoch milliseconds; 0 when absent. */
  at: number;
  attributes: Attributes;
}

export type Signal = 'traces' | 'logs';

/** google.rpc.Code, as far as the collector uses it. */
export const code = { invalidArgument: 3, notFound: 5, resourceExhausted: 8, internal: 13, unavailable: 14 } as const;
export type Code = (typeof code)[keyof typeof code];

/** One of the two forms in which OTLP travels. */
export interface Encoding {
  contentType: string;
  /** @throws when the body is not an export request */
  decodeSpans(body: Buffer): Span[];
  /** @throws when the body is not an export request */
  decodeLogs(body: Buffer): LogRecord[];
  /** The answer to a request that was taken, but for `rejected` of its items, for good. */
  encodeResponse(signal: Signal, partial: { rejected: number; reason: string } | null): Buffer;
  /** A google.rpc.Status; with `retryAfterMs` also when to come back. */
  encodeStatus(status: { code: Code; message: string; retryAfterMs?: number }): Buffer;
}

/** Nanoseconds to milliseconds, cut to whole microseconds: what PostgreSQL keeps. */
export function milliseconds(nanoseconds: bigint): number {
  return Number(nanoseconds / 1_000n) / 1_000;
}
