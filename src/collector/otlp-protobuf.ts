import protobuf from 'protobufjs';
import {
  type Attributes,
  type Encoding,
  type LogRecord,
  milliseconds,
  type Span,
  statusError,
} from './otlp.ts';

/** The messages of proto/otlp.proto as protobufjs decodes them: absent members come as their defaults. */
interface Int64 {
  low: number;
  high: number;
}
/** An empty array when absent. */
type Bytes = Uint8Array | readonly never[];
interface KeyValue {
  key: string;
  value: AnyValue | null;
}
interface AnyValue {
  stringValue: string;
  boolValue: boolean;
  intValue: Int64;
  doubleValue: number;
  arrayValue: { values: AnyValue[] } | null;
}
interface TraceRequest {
  resourceSpans: { resource: { attributes: KeyValue[] } | null; scopeSpans: { spans: RawSpan[] }[] }[];
}
interface RawSpan {
  traceId: Bytes;
  spanId: Bytes;
  parentSpanId: Bytes;
  name: string;
  kind: number;
  status: { code: number } | null;
  startTimeUnixNano: Int64;
  endTimeUnixNano: Int64;
  attributes: KeyValue[];
}
interface LogsRequest {
  resourceLogs: { scopeLogs: { logRecords: { timeUnixNano: Int64; attributes: KeyValue[] }[] }[] }[];
}

const otlp = load('otlp.proto');
const status = load('status.proto');
const traceRequest = otlp.lookupType('opentelemetry.proto.ExportTraceServiceRequest');
const traceResponse = otlp.lookupType('opentelemetry.proto.ExportTraceServiceResponse');
const logsRequest = otlp.lookupType('opentelemetry.proto.ExportLogsServiceRequest');
const logsResponse = otlp.lookupType('opentelemetry.proto.ExportLogsServiceResponse');
const rpcStatus = status.lookupType('google.rpc.Status');
const retryInfo = status.lookupType('google.rpc.RetryInfo');

function load(file: string): protobuf.Root {
  return new protobuf.Root().loadSync(new URL(`../../proto/${file}`, import.meta.url).pathname);
}

/** OTLP in protobuf, as it travels over gRPC and, by default, over HTTP. */
export const protobufEncoding: Encoding = {
  contentType: 'application/x-protobuf',

  decodeSpans(body) {
    const request = traceRequest.decode(body) as protobuf.Message & TraceRequest;
    const spans: Span[] = [];
    for (const { resource, scopeSpans } of request.resourceSpans) {
      const whose = readAttributes(resource?.attributes ?? []);
      for (const scope of scopeSpans) {
        for (const span of scope.spans) spans.push(readSpan(span, whose));
      }
    }
    return spans;
  },

  decodeLogs(body) {
    const request = logsRequest.decode(body) as protobuf.Message & LogsRequest;
    const records: LogRecord[] = [];
    for (const resource of request.resourceLogs) {
      for (const scope of resource.scopeLogs) {
        for (const { timeUnixNano, attributes } of scope.logRecords) {
          records.push({ at: milliseconds(unsigned(timeUnixNano)), attributes: readAttributes(attributes) });
        }
      }
    }
    return records;
  },

  encodeResponse(signal, partial) {
    if (signal === 'traces') {
      const partialSuccess = partial && { rejectedSpans: partial.rejected, errorMessage: partial.reason };
      return encode(traceResponse, { partialSuccess });
    }
    const partialSuccess = partial && { rejectedLogRecords: partial.rejected, errorMessage: partial.reason };
    return encode(logsResponse, { partialSuccess });
  },

  encodeStatus({ code, message, retryAfterMs }) {
    if (retryAfterMs === undefined) return encode(rpcStatus, { code, message });
    const seconds = Math.floor(retryAfterMs / 1_000);
    const nanos = (retryAfterMs - seconds * 1_000) * 1_000_000;
    const value = encode(retryInfo, { retryDelay: { seconds, nanos } });
    return encode(rpcStatus, {
      code,
      message,
      details: [{ type_url: 'type.googleapis.com/google.rpc.RetryInfo', value }],
    });
  },
};

function encode(type: protobuf.Type, message: object): Buffer {
  return Buffer.from(type.encode(message).finish());
}

function readSpan(span: RawSpan, resource: Attributes): Span {
  return {
    traceId: hex(span.traceId),
    spanId: hex(span.spanId),
    parentSpanId: hex(span.parentSpanId) || null,
    startedAt: milliseconds(unsigned(span.startTimeUnixNano)),
    endedAt: milliseconds(unsigned(span.endTimeUnixNano)),
    attributes: readAttributes(span.attributes),
    name: span.name,
    kind: span.kind,
    failed: span.status?.code === statusError,
    resource,
  };
}

function readAttributes(pairs: KeyValue[]): Attributes {
  const attributes = new Map<string, string | number | boolean>();
  for (const { key, value } of pairs) {
    // Only the member that was sent is the value's own.
    if (value === null) continue;
    const scalar = readScalar(value);
    if (scalar !== undefined) attributes.set(key, scalar);
    else if (value.arrayValue)
      attributes.set(key, JSON.stringify(value.arrayValue.values.flatMap((each) => readScalar(each) ?? [])));
  }
  return attributes;
}

function readScalar(value: AnyValue): string | number | boolean | undefined {
  if (Object.hasOwn(value, 'stringValue')) return value.stringValue;
  if (Object.hasOwn(value, 'intValue')) return signed(value.intValue);
  if (Object.hasOwn(value, 'boolValue')) return value.boolValue;
  return Object.hasOwn(value, 'doubleValue') ? value.doubleValue : undefined;
}

function signed({ low, high }: Int64): number {
  return high * 0x1_0000_0000 + (low >>> 0);
}

function unsigned({ low, high }: Int64): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

function hex(bytes: Bytes): string {
  return Buffer.from(bytes).toString('hex');
}
