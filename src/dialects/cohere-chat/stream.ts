import { isEventStream, noFacts, type ReplyHead, type StreamObserver } from '../dialect.ts';
import { asObject, asString } from '../json.ts';
import { observeEvents } from '../stream.ts';
import { BoundedText } from '../text.ts';
import { isComplete, messageTexts, readUsage } from './response.ts';

export function observeStream(head: ReplyHead): StreamObserver | null {
  if (!isEventStream(head)) return null;
  const text = new BoundedText();
  let facts = noFacts;
  return observeEvents({
    read(event) {
      const delta = asObject(event.delta);
      text.add(...messageTexts(asObject(delta?.message)));
      if (event.type === 'message-start') facts = { ...facts, responseId: asString(event.id) };
      if (event.type === 'message-end') {
        const finishReason = asString(delta?.finish_reason);
        const error = asString(delta?.error) === null ? null : 'error';
        facts = { ...facts, finishReason, usage: readUsage(delta?.usage), error };
      }
    },
    facts: () => ({
      ...facts,
      complete: facts.error === null && isComplete(facts.finishReason),
      text: text.seen(),
    }),
  });
}
