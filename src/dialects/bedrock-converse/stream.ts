import { AwsEventParser } from '../aws-event-stream.ts';
import { noFacts, type ReplyFacts, type ReplyHead, type StreamObserver } from '../dialect.ts';
import { asObject, asString, parseJson } from '../json.ts';
import { BoundedText } from '../text.ts';
import { blockTexts } from './request.ts';
import { readUsage } from './usage.ts';

export const isAwsStream = ({ contentType }: ReplyHead) =>
  contentType.startsWith('application/vnd.amazon.eventstream');

/** The usage comes in `metadata`, after `messageStop`. */
export function observeStream(head: ReplyHead): StreamObserver | null {
  if (!isAwsStream(head)) return null;
  const events = new AwsEventParser();
  const text = new BoundedText();
  let facts: ReplyFacts = noFacts;
  return {
    push(bytes) {
      for (const { kind, type, payload } of events.push(bytes)) {
        if (kind === 'exception') {
          facts = { ...facts, error: type };
          continue;
        }
        const event = asObject(parseJson(payload));
        if (!event) continue;
        if (type === 'contentBlockStart') text.add(...blockTexts(asObject(event.start)));
        if (type === 'contentBlockDelta') text.add(...blockTexts(asObject(event.delta)));
        if (type === 'messageStop') facts = { ...facts, finishReason: asString(event.stopReason) };
        if (type === 'metadata') {
          const serviceTier = asString(asObject(event.serviceTier)?.type);
          facts = { ...facts, usage: readUsage(event.usage), serviceTier, complete: facts.error === null };
        }
      }
    },
    facts: () => ({ ...facts, text: text.seen() }),
  };
}
