import type { ReplyFacts, StreamObserver } from './dialect.ts';
import { asObject, type JsonObject } from './json.ts';
import { SseParser } from './sse.ts';

/** What a dialect makes of the events of a stream. */
export interface EventReader {
  /** An event whose data is a JSON object. */
  read(event: JsonObject, type: string): void;
  /** An event whose data is something else, such as `[DONE]`. */
  other?(data: string, type: string): void;
  facts(): ReplyFacts;
}

/** Server-sent events with JSON in them. */
export function observeEvents(reader: EventReader): StreamObserver {
  const sse = new SseParser();
  return {
    push(bytes) {
      for (const { type, data } of sse.push(bytes)) {
        const event = /^\s*\{/.test(data) ? parseObject(data) : null;
        if (event) reader.read(event, type);
        else reader.other?.(data, type);
      }
    },
    facts: () => reader.facts(),
  };
}

export function parseObject(text: string): JsonObject | null {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return null;
  }
}
