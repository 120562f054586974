import type { ArrivedSpan } from '../usage/span.ts';

/** Attributes with scalar values, and lists of such as JSON; no others are read. 64-bit integers beyond 2^53 lose their last digits. */
export type Attributes = ReadonlyMap<string, string | number | boolean>;

/** What the collector reads of a span. Ids are lower-case hex, times epoch milliseconds; absent: '' and 0. */
export interface Span extends ArrivedSpan {
  attributes: Attributes;
  name: string;
  /** As OTLP numbers it: 1 internal, 2 server, 3 client; 0: not told. */
  kind: number;
  /** Its status is an error. */
  failed: boolean;
  /** Of whoever sent it. */
  resource: Attributes;
}

/** The code of a span's status that is an error. */
export const statusError = 2;

/** What the collector reads of a log record. */
export interface LogRecord {
  /** Epoch milliseconds; 0 when absent. */
  at: number;
  attributes: Attributes;
}

export type Signal = 'traces' | 'logs';

/** The largest request taken, unpacked. */
export const maxRequestBytes = 16 * 1024 * 1024;

/** google.rpc.Code, as far as the collector uses it. */
export const code = {
  invalidArgument: 3,
  notFound: 5,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;

/** A google.rpc.Status; with `retryAfterMs` also when to come back. */
export interface Status {
  code: (typeof code)[keyof typeof code];
  message: string;
  retryAfterMs?: number | undefined;
}

/** Items that will never be taken, and why the first of them will not. */
export interface PartialSuccess {
  rejected: number;
  reason: string;
}

/** One of the two forms in which OTLP travels. */
export interface Encoding {
  contentType: string;
  /** @throws when the body is not an export request */
  decodeSpans(body: Buffer): Span[];
  /** @throws when the body is not an export request */
  decodeLogs(body: Buffer): LogRecord[];
  /** The answer to a request that was taken, but for the items in `partial`. */
  encodeResponse(signal: Signal, partial: PartialSuccess | null): Buffer;
  encodeStatus(status: Status): Buffer;
}

/** Nanoseconds to milliseconds, cut to whole microseconds: what PostgreSQL keeps. */
export function milliseconds(nanoseconds: bigint): number {
  return Number(nanoseconds / 1_000n) / 1_000;
}
