import { noFacts, type ReplyFacts, type ReplyHead } from '../dialect.ts';
import { asArray, asObject, asString, type JsonObject, parseJson } from '../json.ts';
import { wholeText } from '../text.ts';
import { blockTexts } from './request.ts';
import { readTerms, readUsage } from './usage.ts';

export function readReply(body: Uint8Array, { status }: ReplyHead): ReplyFacts {
  const reply = asObject(parseJson(body));
  if (!reply) return noFacts;
  const facts = messageFacts(reply);
  return { ...facts, complete: status === 200 && isComplete(facts) };
}

/** What a message object tells; `type: error` is the error's own form. */
export function messageFacts(message: JsonObject): ReplyFacts {
  return {
    ...noFacts,
    model: asString(message.model),
    responseId: asString(message.id),
    finishReason: asString(message.stop_reason),
    ...readUsage(message.usage),
    ...readTerms(message.usage),
    error: message.type === 'error' ? (asString(asObject(message.error)?.type) ?? 'error') : null,
    text: wholeText(asArray(message.content).flatMap((block) => blockTexts(asObject(block)))),
  };
}

/**
 * A refusal is not given again, a paused turn waits to be continued, and the end of the context window is
 * no limit that the request set.
 */
const goodEnds = new Set(['end_turn', 'tool_use', 'stop_sequence', 'max_tokens']);

export function isComplete({ error, finishReason }: ReplyFacts): boolean {
  return error === null && goodEnds.has(finishReason ?? '');
}
