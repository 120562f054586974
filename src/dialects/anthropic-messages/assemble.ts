import { CannotGather } from '../gather.ts';
import { asArray, asObject, asString, type JsonObject } from '../json.ts';
import { parseExact } from '../json-exact.ts';

/** A block of the content while its deltas come. */
interface OpenBlock {
  block: JsonObject;
  /** Input of a tool, in pieces of JSON. */
  json: string[];
}

/** The message of a stream. Throws CannotGather. */
export function messageOf(events: JsonObject[]): JsonObject {
  let message: JsonObject | null = null;
  let stopped = false;
  const blocks: OpenBlock[] = [];
  for (const event of events) {
    if (event.type === 'ping') continue;
    if (event.type === 'message_start') message = asObject(event.message);
    else if (event.type === 'content_block_start') {
      if (event.index !== blocks.length) throw new CannotGather('a block is out of its place');
      blocks.push({ block: asObject(event.content_block) ?? {}, json: [] });
    } else if (event.type === 'content_block_delta') {
      const open = blocks[Number(event.index)];
      if (!open) throw new CannotGather('a delta has no block');
      addDelta(open, asObject(event.delta) ?? {});
    } else if (event.type === 'message_delta' && message) message = withDelta(message, event);
    else if (event.type === 'message_stop') stopped = true;
    else if (event.type !== 'content_block_stop') throw new CannotGather('its meaning is not known');
  }
  if (!message || !stopped) throw new CannotGather('it has no end');
  const content = blocks.map(({ block, json }) =>
    json.length === 0 ? block : { ...block, input: inputOf(json) },
  );
  // The model that took over is the one that the whole message names.
  const to = content.findLast(({ type }) => type === 'fallback')?.to;
  return { ...message, ...(asString(asObject(to)?.model) && { model: asObject(to)?.model }), content };
}

function addDelta(open: OpenBlock, { type, ...delta }: JsonObject): void {
  const { block } = open;
  const text = (name: string) => `${asString(block[name]) ?? ''}${asString(delta[name]) ?? ''}`;
  switch (type) {
    case 'text_delta':
      open.block = { ...block, text: text('text') };
      break;
    case 'thinking_delta':
      open.block = { ...block, thinking: text('thinking') };
      break;
    case 'input_json_delta':
      open.json.push(asString(delta.partial_json) ?? '');
      break;
    case 'citations_delta':
      open.block = { ...block, citations: [...asArray(block.citations), delta.citation] };
      break;
    case 'signature_delta':
    case 'compaction_delta':
      // These have the final value.
      open.block = { ...block, ...delta };
      break;
    default:
      throw new CannotGather('its meaning is not known');
  }
}

/** Its usage is of the whole message: each member replaces that of the beginning. */
function withDelta(message: JsonObject, { type: _, delta, usage, ...others }: JsonObject): JsonObject {
  return {
    ...message,
    ...asObject(delta),
    ...others,
    usage: { ...asObject(message.usage), ...asObject(usage) },
  };
}

function inputOf(json: string[]): unknown {
  const text = json.join('');
  return text === '' ? {} : parseExact(text);
}
