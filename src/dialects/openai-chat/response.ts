import { noFacts, type ReplyFacts, type ReplyHead } from '../dialect.ts';
import { asArray, asObject, asString, type JsonObject, parseJson } from '../json.ts';
import { errorType, readReportedCost, readUsage } from '../openai/usage.ts';
import { present, wholeText } from '../text.ts';

export function readReply(body: Uint8Array, { status }: ReplyHead): ReplyFacts {
  const reply = asObject(parseJson(body));
  if (!reply) return noFacts;
  const error = errorType(reply, reply.choices !== undefined);
  const choices = asArray(reply.choices).map(asObject);
  const finishReasons = choices.map((choice) => asString(choice?.finish_reason));
  return {
    ...noFacts,
    model: asString(reply.model),
    responseId: asString(reply.id),
    finishReason: finishReasonOf(finishReasons),
    usage: readUsage(reply.usage),
    serviceTier: asString(reply.service_tier),
    reportedUsd: readReportedCost(reply.usage),
    error,
    complete:
      status === 200 &&
      error === null &&
      isComplete(finishReasons) &&
      !choices.some((choice) => refuses(choice)),
    text: wholeText(
      choices.flatMap((choice) => [...messageTexts(asObject(choice?.message)), ...present(choice?.text)]),
    ),
  };
}

/** The first that is told; that a choice was cut short before all others. */
export function finishReasonOf(reasons: (string | null)[]): string | null {
  return reasons.includes('length') ? 'length' : (reasons.find((reason) => reason !== null) ?? null);
}

/** `eos` is Together's stop. Filters, failures and overload have names of their own with each provider. */
const goodEnds = new Set(['stop', 'length', 'tool_calls', 'function_call', 'eos']);

/** All choices came to a good end: not filtered, not broken off. */
export function isComplete(finishReasons: (string | null)[]): boolean {
  return finishReasons.length > 0 && finishReasons.every((reason) => goodEnds.has(reason ?? ''));
}

/** A refusal, or an error in the place of a choice (OpenRouter); of a choice, or of one chunk of it. */
export function refuses(choice: JsonObject | null): boolean {
  const said = asObject(choice?.message) ?? asObject(choice?.delta);
  return present(said?.refusal).length > 0 || (choice?.error ?? null) !== null;
}

/** What a message or a delta says: content, refusal, reasoning, tool calls. */
export function messageTexts(message: JsonObject | null): string[] {
  if (!message) return [];
  const calls = asArray(message.tool_calls).flatMap((each) => {
    const called = asObject(asObject(each)?.function);
    return [called?.name, called?.arguments];
  });
  // Mistral and a few others have parts instead of a text.
  const parts = asArray(message.content).map((part) => asObject(part)?.text);
  const reasoning = message.reasoning_content ?? message.reasoning;
  return present(message.content, ...parts, message.refusal, reasoning, ...calls);
}
