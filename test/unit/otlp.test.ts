import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JsonTraceSerializer, ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import { type ReadableSpan, TracerProvider } from '@opentelemetry/sdk-trace';
import fc from 'fast-check';
import type { Encoding } from '../../src/collector/otlp.ts';
import { jsonEncoding } from '../../src/collector/otlp-json.ts';
import { protobufEncoding } from '../../src/collector/otlp-protobuf.ts';

const encodings: [string, Encoding, typeof JsonTraceSerializer][] = [
  ['protobuf', protobufEncoding, ProtobufTraceSerializer],
  ['JSON', jsonEncoding, JsonTraceSerializer],
];

const scalar = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.boolean(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0)),
);
const spanInput = fc.record({
  name: fc.string(),
  startedAt: fc.integer({ min: 1, max: 4_000_000_000_000_000 }).map((microseconds) => microseconds / 1_000),
  attributes: fc.dictionary(fc.string({ minLength: 1 }), fc.oneof(scalar, fc.array(fc.string()))),
});

for (const [name, encoding, serializer] of encodings) {
  test(`spans are read from ${name} as an OpenTelemetry SDK wrote them`, () => {
    fc.assert(
      fc.property(fc.array(spanInput, { maxLength: 5 }), (inputs) => {
        const spans: ReadableSpan[] = [];
        const keep = {
          onStart() {},
          onEnd: (span: ReadableSpan) => spans.push(span),
          async forceFlush() {},
          async shutdown() {},
        };
        const provider = new TracerProvider({ spanProcessors: [keep] });
        const tracer = provider.getTracer('test');
        for (const { name, startedAt, attributes } of inputs) {
          const micros = Math.round(startedAt * 1_000);
          const time: [number, number] = [Math.floor(micros / 1_000_000), (micros % 1_000_000) * 1_000];
          tracer.startSpan(name, { startTime: time, attributes }).end([time[0] + 1, time[1]]);
        }
        const body = serializer.serializeRequest(spans);
        assert.ok(body);
        const read = encoding.decodeSpans(Buffer.from(body));
        assert.deepEqual(
          read,
          spans.map((span, index) => ({
            traceId: span.spanContext().traceId,
            spanId: span.spanContext().spanId,
            parentSpanId: null,
            startedAt: inputs[index]?.startedAt,
            endedAt: (Math.round((inputs[index]?.startedAt ?? 0) * 1_000) + 1_000_000) / 1_000,
            attributes: new Map(
              Object.entries(span.attributes).map(([key, value]) => [
                key,
                Array.isArray(value) ? JSON.stringify(value) : value,
              ]),
            ),
            name: span.name,
            kind: 1,
            failed: false,
            resource: new Map(Object.entries(span.resource.attributes)),
          })),
        );
      }),
    );
  });

  test(`what is not OTLP in ${name} is refused, whatever it is`, () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        for (const decode of [encoding.decodeSpans, encoding.decodeLogs]) {
          try {
            assert.ok(Array.isArray(decode(Buffer.from(bytes))));
          } catch (error) {
            assert.ok(error instanceof Error);
          }
        }
      }),
    );
  });
}
