import { noFacts, type ReplyFacts, type ReplyHead } from '../dialect.ts';
import { asArray, asObject, asString, firstCount, type JsonObject, parseJson } from '../json.ts';
import { present, wholeText } from '../text.ts';
import { noUsage, type TokenUsage } from '../usage.ts';

export function readReply(body: Uint8Array, { status }: ReplyHead): ReplyFacts {
  const reply = asObject(parseJson(body));
  if (!reply) return noFacts;
  const finishReason = asString(reply.finish_reason);
  return {
    ...noFacts,
    responseId: asString(reply.id),
    finishReason,
    usage: readUsage(reply.usage),
    error: status >= 400 ? 'error' : null,
    complete: status === 200 && isComplete(finishReason),
    text: wholeText(messageTexts(asObject(reply.message))),
  };
}

/** What is charged, not what was processed: Cohere's own preamble is free. */
export function readUsage(value: unknown): TokenUsage | null {
  const billed = asObject(asObject(value)?.billed_units);
  const input = firstCount(billed?.input_tokens);
  const output = firstCount(billed?.output_tokens);
  return input === null && output === null ? null : { ...noUsage, input, output };
}

export function isComplete(finishReason: string | null): boolean {
  return ['COMPLETE', 'STOP_SEQUENCE', 'MAX_TOKENS', 'TOOL_CALL'].includes(finishReason ?? '');
}

/** Text, thoughts and tool calls of a message or of a delta. */
export function messageTexts(message: JsonObject | null): string[] {
  const content = [...asArray(message?.content), message?.content].map(asObject);
  const calls = [...asArray(message?.tool_calls), message?.tool_calls].map((call) =>
    asObject(asObject(call)?.function),
  );
  return present(
    ...content.flatMap((part) => [part?.text, part?.thinking]),
    message?.tool_plan,
    ...calls.flatMap((called) => [called?.name, called?.arguments]),
  );
}
