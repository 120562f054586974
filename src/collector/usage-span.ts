import type { UsageRecord } from '../usage/record.ts';
import type { Span } from './otlp.ts';

/** A usage span as it came, and what it says. */
export interface UsageSpan {
  span: Span;
  record: UsageRecord;
}

/** What of its identity a span lacks; null: nothing. */
export function missing(span: Span): string | null {
  if (!/^(?!0+$)[0-9a-f]{32}$/.test(span.traceId)) return 'no trace id';
  if (!/^(?!0+$)[0-9a-f]{16}$/.test(span.spanId)) return 'no span id';
  if (span.startedAt === 0) return 'no start time';
  return span.endedAt === 0 ? 'no end time' : null;
}

/** A span as a dead letter keeps it: src/collector/letters.ts reads it again. */
export function readable(span: Span): object {
  const { attributes, resource } = span;
  return { ...span, attributes: Object.fromEntries(attributes), resource: Object.fromEntries(resource) };
}
