import { randomFillSync } from 'node:crypto';

/** Random bytes are drawn for many ids at once: a draw costs more than an id. */
const pool = Buffer.alloc(4096);
let used = pool.length;

function randomBytes(count: number): Buffer {
  if (used + count > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += count;
  return Buffer.from(pool.subarray(used - count, used));
}

/** A UUIDv7 (RFC 9562): its order is the order of time. `ms` is epoch milliseconds. */
export function uuidv7(ms: number): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Math.floor(ms), 0, 6);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** A span's id, in hex. */
export function newSpanId(): string {
  return randomBytes(8).toString('hex');
}

/** Where an exchange stands in a trace. */
export interface TraceIds {
  traceId: string;
  spanId: string;
  parentSpanId: string | null;
}

/** The caller's trace when it sent a valid `traceparent` (W3C Trace Context), else one named by the exchange. */
export function traceIds(traceparent: string | undefined, exchangeId: string): TraceIds {
  const [, traceId, parentSpanId] =
    /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}/.exec(traceparent ?? '') ?? [];
  const spanId = newSpanId();
  return traceId && parentSpanId && !/^0+$/.test(traceId) && !/^0+$/.test(parentSpanId)
    ? { traceId, spanId, parentSpanId }
    : { traceId: exchangeId.replaceAll('-', ''), spanId, parentSpanId: null };
}
