import { noFacts, type ReplyFacts } from '../dialect.ts';
import { asArray, asObject, asString, type JsonObject, parseJson } from '../json.ts';
import { readUsage } from './usage.ts';

export function readReply(body: Uint8Array, status: number): ReplyFacts {
  const reply = asObject(parseJson(body));
  if (!reply) return noFacts;
  const error = errorType(reply);
  const finishReasons = asArray(reply.choices).map((choice) => asString(asObject(choice)?.finish_reason));
  return {
    model: asString(reply.model),
    responseId: asString(reply.id),
    finishReason: finishReasons.find((reason) => reason !== null) ?? null,
    usage: readUsage(reply.usage),
    serviceTier: asString(reply.service_tier),
    error,
    complete: status === 200 && error === null && isComplete(finishReasons),
    text: asArray(reply.choices).flatMap((choice) => messageTexts(asObject(asObject(choice)?.message))),
  };
}

/** All choices came to a good end: not filtered, not broken off. */
export function isComplete(finishReasons: (string | null)[]): boolean {
  return (
    finishReasons.length > 0 &&
    finishReasons.every((reason) => reason !== null && reason !== 'content_filter' && reason !== 'error')
  );
}

/** The type of an error body: `{error: {type | code}}`, with `{message}` and `{detail}` forms as `error`. */
export function errorType(reply: JsonObject): string | null {
  const error = asObject(reply.error);
  if (error) return asString(error.code) ?? asString(error.type) ?? 'error';
  if (asString(reply.error) !== null) return 'error';
  return reply.choices === undefined && (reply.message !== undefined || reply.detail !== undefined)
    ? 'error'
    : null;
}

/** What a message or a delta says: content, refusal, reasoning, tool calls. */
export function messageTexts(message: JsonObject | null): string[] {
  if (!message) return [];
  const texts = [message.content, message.refusal, message.reasoning_content ?? message.reasoning];
  for (const each of asArray(message.tool_calls)) {
    const called = asObject(asObject(each)?.function);
    texts.push(called?.name, called?.arguments);
  }
  return texts.filter((text): text is string => typeof text === 'string' && text !== '');
}
