import { asArray, asObject, asString, type JsonObject } from '../json.ts';
import { pieces } from '../pieces.ts';
import { typedEvent } from '../replay.ts';

/** A whole answer of version 2 as the events of a stream; null: it has another form. */
export function eventsOf(answer: JsonObject): string[] | null {
  const { id, message: whole, logprobs, ...end } = answer;
  const message = asObject(whole);
  if (!message) return null;
  const { role, content, tool_plan, tool_calls, citations, ...others } = message;
  // What there is no event for, and what was said of single tokens, cannot be told in pieces.
  if (Object.keys(others).length > 0 || asArray(logprobs).length > 0) return null;
  const start = { role, content: [], tool_plan: '', tool_calls: [], citations: [] };
  return [
    typedEvent({ id, type: 'message-start', delta: { message: start } }),
    ...pieces(asString(tool_plan) ?? '').map((text) =>
      typedEvent({ type: 'tool-plan-delta', delta: { message: { tool_plan: text } } }),
    ),
    ...asArray(tool_calls).flatMap((call, index) => callEvents(asObject(call) ?? {}, index)),
    ...asArray(content).flatMap((part, index) => contentEvents(asObject(part) ?? {}, index)),
    ...asArray(citations).flatMap((citation, index) => [
      typedEvent({ type: 'citation-start', index, delta: { message: { citations: citation } } }),
      typedEvent({ type: 'citation-end', index }),
    ]),
    typedEvent({ type: 'message-end', delta: end }),
    'data: [DONE]\n\n',
  ];
}

function callEvents(call: JsonObject, index: number): string[] {
  const called = asObject(call.function);
  const text = asString(called?.arguments) ?? '';
  const start = { ...call, ...(called && { function: { ...called, arguments: '' } }) };
  const delta = (tool_calls: JsonObject) => ({ message: { tool_calls } });
  return [
    typedEvent({ type: 'tool-call-start', index, delta: delta(start) }),
    ...pieces(text).map((part) =>
      typedEvent({ type: 'tool-call-delta', index, delta: delta({ function: { arguments: part } }) }),
    ),
    typedEvent({ type: 'tool-call-end', index }),
  ];
}

function contentEvents(part: JsonObject, index: number): string[] {
  const name = part.type === 'thinking' ? 'thinking' : 'text';
  const text = asString(part[name]);
  const delta = (content: JsonObject) => ({ message: { content } });
  return [
    typedEvent({
      type: 'content-start',
      index,
      delta: delta(text === null ? part : { ...part, [name]: '' }),
    }),
    ...pieces(text ?? '').map((piece) =>
      typedEvent({ type: 'content-delta', index, delta: delta({ [name]: piece }) }),
    ),
    typedEvent({ type: 'content-end', index }),
  ];
}
