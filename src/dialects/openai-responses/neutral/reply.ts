import { callId, replyId } from '../../ids.ts';
import { asObject, asString, type JsonObject } from '../../json.ts';
import type { Part } from '../../neutral.ts';
import type { Asked } from '../../neutral-dialect.ts';
import type { NeutralReply, Stop } from '../../neutral-reply.ts';
import { readUsage } from '../../openai/usage.ts';
import { writeUsage } from '../../openai/write-usage.ts';
import { Members, type Own, type Pen, penFor } from '../../own.ts';
import { argsText } from '../../turns.ts';
import { readCall, readReasoning, reasoningItem, writeCall, writeReasoning } from './items.ts';
import { readPart, writePart } from './parts.ts';

export function readReply(body: JsonObject): NeutralReply | null {
  const m = new Members(body);
  const output = m.list('output');
  if (body.object !== 'response' || body.status === 'failed') return null;
  const items: unknown[] = [];
  const parts = (output ?? []).flatMap((value, index) => {
    const item = new Members(asObject(value) ?? {});
    const read = readItem(item, value, index);
    items.push(read.message ? item.own() : null);
    return read.parts;
  });
  const usage = readUsage(body.usage);
  if (usage) m.spell('usage', m.object('usage'));
  m.spell('items', items);
  m.spell('status', m.string('status'));
  return {
    dialect: 'openai-responses',
    id: m.string('id'),
    model: m.string('model'),
    created: m.number('created_at'),
    parts,
    stop: readStop(body, parts),
    usage,
    ...m.own(),
  };
}

function readItem(m: Members, value: unknown, index: number): { parts: Part[]; message: boolean } {
  switch (m.word('type', ['message', 'function_call', 'reasoning'])) {
    case 'message': {
      const parts = (m.list('content') ?? []).map((part) => inItem(readPart(part), index));
      return { parts, message: true };
    }
    case 'function_call': {
      const call = readCall(m);
      return { parts: [call ?? { kind: 'unknown', at: 'output', value }], message: false };
    }
    case 'reasoning':
      return { parts: [readReasoning(m)], message: false };
    default:
      return { parts: [{ kind: 'unknown', at: 'output', value }], message: false };
  }
}

/** Notes of which item a part was. */
function inItem(part: Part, item: number): Part {
  if (part.kind === 'unknown') return part;
  const own = part.own ?? { members: {} };
  return { ...part, own: { ...own, spelling: { ...own.spelling, item } } };
}

export function readStop(response: JsonObject, parts: { kind: string }[]): Stop | null {
  if (response.status === 'incomplete') {
    const reason = asString(asObject(response.incomplete_details)?.reason);
    return { reason: reason === 'content_filter' ? 'filter' : 'length', sequence: null };
  }
  if (response.status !== 'completed') return null;
  return { reason: parts.some(({ kind }) => kind === 'call') ? 'call' : 'end', sequence: null };
}

export function writeReply(reply: NeutralReply, asked: Asked): JsonObject {
  const pen = penFor(reply.dialect, 'openai-responses');
  if (pen.same) return writeOwn(reply, pen);
  const id = replyId(reply.id, asked);
  return {
    ...envelope({ id, model: reply.model, created: reply.created ?? asked.created, stop: reply.stop }, asked),
    output: reply.parts.map((part, index) => writeItem(part, `${id.slice('resp_'.length)}_${index}`)),
    usage: reply.usage && writeUsage(reply.usage, 'responses'),
  };
}

function writeOwn(reply: NeutralReply, pen: Pen): JsonObject {
  const items = pen.spelled(reply, 'items') as ({ own?: Own } | null)[];
  const isOf = (part: Part, index: number) => part.kind !== 'unknown' && pen.spelled(part, 'item') === index;
  const others = reply.parts.filter(
    (part) => part.kind === 'unknown' || pen.spelled(part, 'item') === undefined,
  );
  const output = items.map((message, index) => {
    if (!message) return writeOther(others.shift(), pen);
    const content = reply.parts.filter((part) => isOf(part, index));
    const written = content.map((part) => (isSaid(part) ? writePart(part, 'assistant', pen) : null));
    return pen.give({ type: 'message', content: written.length > 0 ? written : null }, message);
  });
  return pen.give(
    {
      id: reply.id,
      model: reply.model,
      created_at: reply.created,
      status: pen.spelled(reply, 'status'),
      output: output.length > 0 ? output : null,
      usage: pen.spelled(reply, 'usage'),
    },
    reply,
  );
}

const isSaid = (part: Part) => part.kind === 'text' || part.kind === 'refusal';

function writeOther(part: Part | undefined, pen: Pen): unknown {
  switch (part?.kind) {
    case 'call':
      return writeCall(part, pen);
    case 'thinking':
      return writeReasoning(part, '', pen);
    default:
      return part?.kind === 'unknown' ? part.value : null;
  }
}

/** All of a Responses object but what was answered. `stop` null: it is being made. */
export function envelope(
  head: { id: string; model: string | null; created: number; stop: Stop | null },
  asked: Asked,
): JsonObject {
  const { reason } = head.stop ?? {};
  const cut = reason === 'length' ? 'max_output_tokens' : reason === 'filter' ? 'content_filter' : null;
  return {
    id: head.id,
    object: 'response',
    created_at: head.created,
    status: head.stop ? (cut ? 'incomplete' : 'completed') : 'in_progress',
    error: null,
    incomplete_details: cut && { reason: cut },
    model: head.model ?? asked.model,
    ...asked.echo,
  };
}

/** What of a request its response tells again, and what it tells where the request said nothing. */
export function echo(body: JsonObject): JsonObject {
  const said = (name: string, otherwise: unknown) => body[name] ?? otherwise;
  return {
    background: false,
    conversation: null,
    instructions: said('instructions', null),
    max_output_tokens: said('max_output_tokens', null),
    max_tool_calls: null,
    metadata: said('metadata', {}),
    parallel_tool_calls: said('parallel_tool_calls', true),
    previous_response_id: null,
    prompt_cache_key: said('prompt_cache_key', null),
    reasoning: said('reasoning', { effort: null, summary: null }),
    safety_identifier: said('safety_identifier', null),
    service_tier: said('service_tier', 'default'),
    store: false,
    temperature: said('temperature', 1),
    text: said('text', { format: { type: 'text' } }),
    tool_choice: said('tool_choice', 'auto'),
    tools: said('tools', []),
    top_logprobs: 0,
    top_p: said('top_p', 1),
    truncation: 'disabled',
    user: said('user', null),
  };
}

/** One item a part. */
function writeItem(part: Part, id: string): JsonObject {
  switch (part.kind) {
    case 'text':
      return messageItem({ type: 'output_text', text: part.text, annotations: [], logprobs: [] }, id);
    case 'refusal':
      return messageItem({ type: 'refusal', refusal: part.text }, id);
    case 'call':
      return callItem(part.id, part.name, argsText(part.args), id);
    case 'thinking':
      return reasoningItem(part.text, part.signature, `rs_${id}`);
    default:
      throw new Error(`a reply has no ${part.kind}`);
  }
}

export function messageItem(part: JsonObject | null, id: string): JsonObject {
  const status = part ? 'completed' : 'in_progress';
  return { id: `msg_${id}`, type: 'message', status, role: 'assistant', content: part ? [part] : [] };
}

export function callItem(
  call: string,
  name: string,
  args: string,
  id: string,
  status = 'completed',
): JsonObject {
  const call_id = callId(call, 'openai-responses');
  return { id: `fc_${id}`, type: 'function_call', status, call_id, name, arguments: args };
}
