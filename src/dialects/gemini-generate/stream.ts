import { isEventStream, noFacts, type ReplyHead, type StreamObserver } from '../dialect.ts';
import { asArray, asCount, asObject, asString, type JsonObject } from '../json.ts';
import { JsonArrayParser } from '../json-array.ts';
import { observeEvents, parseObject } from '../stream.ts';
import { BoundedText } from '../text.ts';
import { generationFacts, isGoodEnd } from './response.ts';

/** Server-sent events with `alt=sse`, else a JSON array that grows. */
export function observeStream(head: ReplyHead, endpoint: string): StreamObserver | null {
  if (isEventStream(head)) return observeEvents(chunkReader());
  if (!/:streamGenerateContent$/.test(endpoint) || head.status !== 200) return null;
  const elements = new JsonArrayParser();
  const reader = chunkReader();
  return {
    push(bytes) {
      for (const text of elements.push(bytes)) {
        const chunk = parseObject(text);
        if (chunk) reader.read(chunk);
      }
    },
    facts: reader.facts,
  };
}

/** Each chunk has the usage so far; the last one counts whole, since earlier ones are of inner turns. */
function chunkReader() {
  const text = new BoundedText();
  const reasons = new Map<number, string | null>();
  let facts = noFacts;
  return {
    read(chunk: JsonObject): void {
      const now = generationFacts(chunk);
      for (const candidate of asArray(chunk.candidates).map(asObject)) {
        const index = asCount(candidate?.index) ?? 0;
        reasons.set(index, asString(candidate?.finishReason) ?? reasons.get(index) ?? null);
      }
      text.add(...now.text.texts);
      facts = {
        ...now,
        model: now.model ?? facts.model,
        responseId: now.responseId ?? facts.responseId,
        finishReason: now.finishReason ?? facts.finishReason,
        usage: now.usage ?? facts.usage,
        serviceTier: now.serviceTier ?? facts.serviceTier,
        terms: { ...facts.terms, ...now.terms },
        error: facts.error ?? now.error,
      };
    },
    facts: () => ({
      ...facts,
      complete: facts.error === null && reasons.size > 0 && [...reasons.values()].every(isGoodEnd),
      text: text.seen(),
    }),
  };
}
