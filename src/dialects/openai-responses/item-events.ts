import { asArray, asObject, asString, type JsonObject } from '../json.ts';
import { pieces } from '../pieces.ts';
import type { Event } from './events.ts';

/** The tools of the provider go through these states, told without content. */
const states: Record<string, readonly string[]> = {
  web_search_call: ['in_progress', 'searching', 'completed'],
  file_search_call: ['in_progress', 'searching', 'completed'],
  code_interpreter_call: ['in_progress', 'interpreting', 'completed'],
  image_generation_call: ['in_progress', 'generating', 'completed'],
  mcp_list_tools: ['in_progress', 'completed'],
};

/** Calls whose arguments come in pieces: the member, and the name of its events. */
const argumentsOf: Record<string, readonly [member: string, event: string]> = {
  function_call: ['arguments', 'function_call_arguments'],
  custom_tool_call: ['input', 'custom_tool_call_input'],
  mcp_call: ['arguments', 'mcp_call_arguments'],
};

/** An item of the output as events: added, what it says in pieces, done. */
export function itemEvents(item: JsonObject, index: number): Event[] {
  const type = asString(item.type) ?? '';
  const at = { item_id: item.id, output_index: index };
  const [member, event] = argumentsOf[type] ?? [];
  const text = member === undefined ? null : asString(item[member]);
  const added = {
    ...item,
    ...('status' in item && { status: 'in_progress' }),
    ...(type === 'message' && { content: [] }),
    ...(type === 'reasoning' && emptied(item)),
    ...(member !== undefined && text !== null && { [member]: '' }),
  };
  return [
    { type: 'response.output_item.added', output_index: index, item: added },
    ...(states[type] ?? []).map((state) => ({ type: `response.${type}.${state}`, ...at })),
    ...(type === 'reasoning'
      ? asArray(item.summary).flatMap((part, place) => summaryEvents(part, place, at))
      : []),
    ...(type === 'message' || type === 'reasoning'
      ? asArray(item.content).flatMap((part, place) =>
          partEvents(asObject(part) ?? {}, { ...at, content_index: place }),
        )
      : []),
    ...(event !== undefined && member !== undefined && text !== null
      ? [
          ...pieces(text).map((delta) => ({ type: `response.${event}.delta`, ...at, delta })),
          { type: `response.${event}.done`, ...at, [member]: text },
        ]
      : []),
    { type: 'response.output_item.done', output_index: index, item },
  ];
}

function emptied({ summary, content }: JsonObject): JsonObject {
  return { ...(summary !== undefined && { summary: [] }), ...(content !== undefined && { content: [] }) };
}

function summaryEvents(value: unknown, place: number, at: JsonObject): Event[] {
  const part = asObject(value) ?? {};
  const text = asString(part.text) ?? '';
  const own = { ...at, summary_index: place };
  return [
    { type: 'response.reasoning_summary_part.added', ...own, part: { ...part, text: '' } },
    ...pieces(text).map((delta) => ({ type: 'response.reasoning_summary_text.delta', ...own, delta })),
    { type: 'response.reasoning_summary_text.done', ...own, text },
    { type: 'response.reasoning_summary_part.done', ...own, part },
  ];
}

/** The member that is said in pieces, and the name of its events. */
const saidBy: Record<string, readonly [member: string, event: string]> = {
  output_text: ['text', 'output_text'],
  refusal: ['refusal', 'refusal'],
  reasoning_text: ['text', 'reasoning_text'],
};

/** A part of a message or of a thought. */
function partEvents(part: JsonObject, at: JsonObject): Event[] {
  const [member, event] = saidBy[asString(part.type) ?? ''] ?? [];
  const text = member === undefined ? null : asString(part[member]);
  const isText = event === 'output_text';
  const logprobs = isText ? asArray(part.logprobs) : [];
  // Log probabilities come with the text they are of: then it is not cut.
  const deltas = text === null ? [] : logprobs.length > 0 ? [text] : pieces(text);
  const added = {
    ...part,
    ...(member !== undefined && text !== null && { [member]: '' }),
    ...(isText && { annotations: [], logprobs: [] }),
  };
  return [
    { type: 'response.content_part.added', ...at, part: added },
    ...deltas.map((delta) => ({
      type: `response.${event}.delta`,
      ...at,
      delta,
      ...(isText && { logprobs }),
    })),
    ...asArray(part.annotations).map((annotation, annotation_index) => ({
      type: 'response.output_text.annotation.added',
      ...at,
      annotation_index,
      annotation,
    })),
    ...(text === null || member === undefined
      ? []
      : [{ type: `response.${event}.done`, ...at, [member]: text, ...(isText && { logprobs }) }]),
    { type: 'response.content_part.done', ...at, part },
  ];
}
