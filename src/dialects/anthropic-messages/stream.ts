import { isEventStream, noFacts, type ReplyHead, type StreamObserver } from '../dialect.ts';
import { asObject, asString, type JsonObject } from '../json.ts';
import { observeEvents } from '../stream.ts';
import { BoundedText } from '../text.ts';
import { isComplete, messageFacts } from './response.ts';
import { readTerms, readUsage } from './usage.ts';

/**
 * `message_start` has the first usage, each `message_delta` tells members of it anew: the later value
 * counts, also where it is 0.
 */
export function observeStream(head: ReplyHead): StreamObserver | null {
  return isEventStream(head) ? observeEvents(messageReader()) : null;
}

export function messageReader(text = new BoundedText()) {
  let facts = noFacts;
  let usage: JsonObject = {};
  let counted = false;
  let stopped = false;
  return {
    read(event: JsonObject): void {
      const delta = asObject(event.delta);
      switch (event.type) {
        case 'message_start': {
          const message = asObject(event.message) ?? {};
          facts = messageFacts(message);
          usage = { ...asObject(message.usage) };
          break;
        }
        case 'content_block_start':
          text.add(asObject(event.content_block)?.name, asObject(event.content_block)?.text);
          break;
        case 'content_block_delta':
          text.add(delta?.text, delta?.thinking, delta?.partial_json, delta?.content);
          break;
        case 'message_delta':
          usage = { ...usage, ...asObject(event.usage) };
          counted ||= asObject(event.usage) !== null;
          facts = { ...facts, finishReason: asString(delta?.stop_reason) ?? facts.finishReason };
          break;
        case 'message_stop':
          stopped = true;
          break;
        case 'error':
          facts = { ...facts, error: asString(asObject(event.error)?.type) ?? 'error' };
      }
    },
    facts() {
      const now = { ...facts, ...readUsage(usage), ...readTerms(usage), text: text.seen() };
      return { ...now, provisional: now.usage !== null && !counted, complete: stopped && isComplete(now) };
    },
  };
}
