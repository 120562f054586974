import { hostname } from 'node:os';
import { type Tracer, trace } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { AlwaysOnSampler, RandomIdGenerator, type ReadableSpan } from '@opentelemetry/sdk-trace';

const noLimit = Number.POSITIVE_INFINITY;

export interface SpanIds {
  traceId: string;
  spanId: string;
}

/** OpenTelemetry, set up for records that must not be lost: always sampled, handed over as they end. */
export interface Telemetry {
  tracer: Tracer;
  /** The ids of the next span that is started. */
  useIds(ids: SpanIds): void;
  shutdown(): Promise<void>;
}

export function startTelemetry(options: { version: string; onEnd: (span: ReadableSpan) => void }): Telemetry {
  const random = new RandomIdGenerator();
  let next: SpanIds | null = null;
  const sdk = new NodeSDK({
    autoDetectResources: false,
    resource: resourceFromAttributes({
      'service.name': 'weir',
      'service.version': options.version,
      'service.instance.id': `${hostname()}-${process.pid}`,
    }),
    sampler: new AlwaysOnSampler(),
    // A record is bounded by itself: a limit here would cut out of it.
    spanLimits: { attributeCountLimit: noLimit, attributeValueLengthLimit: noLimit },
    idGenerator: {
      generateTraceId: () => next?.traceId ?? random.generateTraceId(),
      generateSpanId: () => next?.spanId ?? random.generateSpanId(),
    },
    spanProcessors: [
      {
        onStart: () => {},
        onEnd: options.onEnd,
        forceFlush: async () => {},
        shutdown: async () => {},
      },
    ],
    instrumentations: [],
    logRecordProcessors: [],
    metricReaders: [],
    textMapPropagator: null,
  });
  sdk.start();
  return {
    tracer: trace.getTracer('weir', options.version),
    useIds(ids) {
      next = ids;
    },
    async shutdown() {
      await sdk.shutdown();
      // It stays registered otherwise, and the next one would get its spans.
      trace.disable();
    },
  };
}
