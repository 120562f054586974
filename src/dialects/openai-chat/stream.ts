import { isEventStream, noFacts, type ReplyHead, type StreamObserver } from '../dialect.ts';
import { asArray, asCount, asObject, asString } from '../json.ts';
import { errorType, readReportedCost, readUsage } from '../openai/usage.ts';
import { observeEvents } from '../stream.ts';
import { BoundedText } from '../text.ts';
import { finishReasonOf, isComplete, messageTexts, refuses } from './response.ts';

export function observeStream(head: ReplyHead): StreamObserver | null {
  if (!isEventStream(head)) return null;
  const finishReasons = new Map<number, string | null>();
  const text = new BoundedText();
  let facts = noFacts;
  let done = false;
  let refused = false;

  return observeEvents({
    read(chunk, type) {
      // Groq tells it beside, or instead, under x_groq.
      const usage = readUsage(chunk.usage) ?? readUsage(asObject(chunk.x_groq)?.usage);
      facts = {
        ...facts,
        error:
          facts.error ?? errorType(chunk, chunk.choices !== undefined) ?? (type === 'error' ? type : null),
        model: asString(chunk.model) ?? facts.model,
        responseId: facts.responseId ?? asString(chunk.id),
        serviceTier: asString(chunk.service_tier) ?? facts.serviceTier,
        usage: usage ?? facts.usage,
        reportedUsd: readReportedCost(chunk.usage) ?? facts.reportedUsd,
      };
      for (const each of asArray(chunk.choices)) {
        const choice = asObject(each);
        if (!choice) continue;
        const index = asCount(choice.index) ?? 0;
        finishReasons.set(index, asString(choice.finish_reason) ?? finishReasons.get(index) ?? null);
        refused ||= refuses(choice);
        text.add(...messageTexts(asObject(choice.delta)), choice.text);
      }
    },
    other(data, type) {
      if (data === '[DONE]') done = true;
      else if (type === 'error') facts = { ...facts, error: facts.error ?? type };
    },
    facts() {
      const reasons = [...finishReasons.values()];
      return {
        ...facts,
        finishReason: finishReasonOf(reasons),
        complete: facts.error === null && done && !refused && isComplete(reasons),
        text: text.seen(),
      };
    },
  });
}
