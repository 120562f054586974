import { asArray, asObject, asString, type JsonObject } from '../json.ts';
import { pieces } from '../pieces.ts';
import { typedEvent } from '../replay.ts';

/** Counts that the end of a message tells, of all of it. */
const counts = [
  'input_tokens',
  'cache_creation_input_tokens',
  'cache_read_input_tokens',
  'output_tokens',
  'server_tool_use',
  'output_tokens_details',
  'iterations',
];

/** What is known only when a message ends, beside its stop. */
const late = ['context_management', 'input_transformations'];

/** A whole message as the events of a stream; null: it is none. */
export function eventsOf(message: JsonObject): string[] | null {
  const { content, stop_reason, stop_sequence, stop_details, container } = message;
  const usage = asObject(message.usage);
  if (message.type !== 'message' || !usage) return null;
  const start = {
    ...message,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    ...(stop_details !== undefined && { stop_details: null }),
    // It has said nothing yet, and Anthropic counts one.
    usage: { ...usage, output_tokens: 1 },
  };
  const end = {
    stop_reason,
    stop_sequence,
    ...(stop_details !== undefined && { stop_details }),
    ...((container ?? null) !== null && { container }),
  };
  return [
    typedEvent({ type: 'message_start', message: start }),
    ...asArray(content).flatMap((block, index) => blockEvents(asObject(block) ?? {}, index)),
    typedEvent({ type: 'message_delta', delta: end, usage: only(usage, counts), ...only(message, late) }),
    typedEvent({ type: 'message_stop' }),
  ];
}

function only(object: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([name]) => names.includes(name)));
}

function blockEvents(block: JsonObject, index: number): string[] {
  const { start, deltas } = begun(block);
  return [
    typedEvent({ type: 'content_block_start', index, content_block: start }),
    ...deltas.map((delta) => typedEvent({ type: 'content_block_delta', index, delta })),
    typedEvent({ type: 'content_block_stop', index }),
  ];
}

/** A block as it begins, and what is added to it; a block that is told whole has no deltas. */
function begun(block: JsonObject): { start: JsonObject; deltas: JsonObject[] } {
  const parts = (name: string, type: string) =>
    pieces(asString(block[name]) ?? '').map((text) => ({ type, [name]: text }));
  switch (block.type) {
    case 'text':
      return {
        start: { ...block, text: '', ...(Array.isArray(block.citations) && { citations: [] }) },
        deltas: [
          ...asArray(block.citations).map((citation) => ({ type: 'citations_delta', citation })),
          ...parts('text', 'text_delta'),
        ],
      };
    case 'thinking':
      return {
        start: { ...block, thinking: '', ...(block.signature !== undefined && { signature: '' }) },
        deltas: [
          ...parts('thinking', 'thinking_delta'),
          ...(asString(block.signature) ? [{ type: 'signature_delta', signature: block.signature }] : []),
        ],
      };
    case 'tool_use':
    case 'server_tool_use':
    case 'mcp_tool_use':
      return { start: { ...block, input: {} }, deltas: inputDeltas(block.input) };
    case 'compaction': {
      const { type: _, ...said } = block;
      return {
        start: { type: 'compaction', content: null },
        deltas: [{ type: 'compaction_delta', ...said }],
      };
    }
    default:
      return { start: block, deltas: [] };
  }
}

/** An empty piece first, as Anthropic sends it; an empty input has no other. */
function inputDeltas(input: unknown): JsonObject[] {
  const json = JSON.stringify(input ?? {});
  return ['', ...(json === '{}' ? [] : pieces(json))].map((partial_json) => ({
    type: 'input_json_delta',
    partial_json,
  }));
}
