import { replyId } from '../../ids.ts';
import { asObject, type JsonObject } from '../../json.ts';
import type { Asked } from '../../neutral-dialect.ts';
import type { NeutralReply, Stop } from '../../neutral-reply.ts';
import { Members, penFor } from '../../own.ts';
import type { TokenUsage } from '../../usage.ts';
import { readUsage } from '../usage.ts';
import { readBlock, writeBlock } from './blocks.ts';

const reasons: Record<string, Stop['reason']> = {
  end_turn: 'end',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  stop_sequence: 'stop',
  tool_use: 'call',
  refusal: 'filter',
};

const words: Record<Stop['reason'], string> = {
  end: 'end_turn',
  length: 'max_tokens',
  stop: 'stop_sequence',
  call: 'tool_use',
  filter: 'refusal',
};

export function readStop(reason: string | null, sequence: string | null): Stop | null {
  return reason === null ? null : { reason: reasons[reason] ?? 'end', sequence };
}

/** The members that tell why it ended. */
export function writeStop(stop: Stop | null, refused: boolean): JsonObject {
  const reason = refused ? 'filter' : (stop?.reason ?? 'end');
  return {
    stop_reason: words[reason],
    stop_sequence: stop?.sequence ?? null,
    stop_details: reason === 'filter' ? { type: 'refusal', category: null, explanation: null } : null,
  };
}

/** Anthropic counts what was read from and written to the cache beside the input. */
export function writeUsage(usage: TokenUsage | null): JsonObject {
  const input = usage?.input ?? 0;
  // Routers have told more of these than of all input.
  const read = Math.min(usage?.cacheRead ?? 0, input);
  const write = Math.min(usage?.cacheWrite ?? 0, input - read);
  return {
    input_tokens: input - read - write,
    cache_creation_input_tokens: write,
    cache_read_input_tokens: read,
    output_tokens: usage?.output ?? 0,
    output_tokens_details: usage?.reasoning == null ? null : { thinking_tokens: usage.reasoning },
    server_tool_use: null,
  };
}

/** What a whole message tells beside the counts that a stream tells again. */
export const usageBlanks = {
  cache_creation: null,
  inference_geo: null,
  service_tier: 'standard',
  speed: null,
};

export function readReply(body: JsonObject): NeutralReply | null {
  const m = new Members(body);
  const content = m.list('content') ?? [];
  if (body.type !== 'message') return null;
  const { usage } = readUsage(body.usage);
  if (usage) m.spell('usage', m.object('usage'));
  const stop = readStop(m.string('stop_reason'), m.string('stop_sequence'));
  m.spell('stop', body.stop_reason);
  return {
    dialect: 'anthropic-messages',
    id: m.string('id'),
    model: m.string('model'),
    created: null,
    parts: content.map(readBlock),
    stop,
    usage,
    ...m.own(),
  };
}

export function writeReply(reply: NeutralReply, asked: Asked): JsonObject {
  const pen = penFor(reply.dialect, 'anthropic-messages');
  const { parts, stop } = reply;
  const content = parts.map((part) => {
    const block = writeBlock(part, pen);
    return pen.same ? block : { ...blanks[part.kind], ...asObject(block) };
  });
  const refused = parts.some(({ kind }) => kind === 'refusal');
  if (pen.same) {
    return pen.give(
      {
        id: reply.id,
        model: reply.model,
        content: content.length > 0 ? content : null,
        stop_reason: pen.spelled(reply, 'stop'),
        stop_sequence: stop?.sequence,
        usage: pen.spelled(reply, 'usage'),
      },
      reply,
    );
  }
  return {
    id: replyId(reply.id, asked),
    type: 'message',
    role: 'assistant',
    model: reply.model ?? asked.model,
    content,
    ...writeStop(stop, refused),
    container: null,
    usage: { ...usageBlanks, ...writeUsage(reply.usage) },
  };
}

/** Members that a block of a reply has in any case. */
const blanks: Partial<Record<NeutralReply['parts'][number]['kind'], JsonObject>> = {
  text: { citations: null },
  refusal: { citations: null },
  call: { caller: { type: 'direct' } },
};
