import { callId, replyId } from '../../ids.ts';
import type { JsonObject } from '../../json.ts';
import type { Signature } from '../../neutral.ts';
import type { Asked, StreamWriter } from '../../neutral-dialect.ts';
import type { Stop, StreamEvent } from '../../neutral-reply.ts';
import { tagged } from '../../signature.ts';
import type { TokenUsage } from '../../usage.ts';
import { writeError } from './error.ts';
import { usageBlanks, writeStop, writeUsage } from './reply.ts';

type Opened = Extract<StreamEvent, { kind: 'open' }>;

export function writeStream(asked: Asked): StreamWriter {
  let index = -1;
  let open: Opened['part'] = 'text';
  let untold = false;
  let refused = false;
  let stop: Stop | null = null;
  let usage: TokenUsage | null = null;

  const send = (type: string, members: JsonObject = {}) =>
    `event: ${type}\ndata: ${JSON.stringify({ type, ...members })}\n\n`;
  const block = (content_block: JsonObject) => send('content_block_start', { index, content_block });
  const delta = (members: JsonObject) => send('content_block_delta', { index, delta: members });

  function begin(event: Opened): string {
    open = event.part;
    index++;
    refused ||= event.part === 'refusal';
    // Only its signature tells whether thinking can be read.
    untold = event.part === 'thinking';
    if (untold) return '';
    return block(
      event.part === 'call'
        ? {
            type: 'tool_use',
            id: callId(event.id, 'anthropic-messages'),
            name: event.name,
            input: {},
            caller: { type: 'direct' },
          }
        : { type: 'text', text: '', citations: null },
    );
  }

  function think(): string {
    if (!untold) return '';
    untold = false;
    return block({ type: 'thinking', thinking: '', signature: '' });
  }

  function sign(signature: Signature): string {
    const value = tagged(signature, 'anthropic-messages');
    if (untold && signature.sealed && signature.origin === 'anthropic-messages') {
      untold = false;
      return block({ type: 'redacted_thinking', data: value });
    }
    return think() + delta({ type: 'signature_delta', signature: value });
  }

  function more(text: string): string {
    if (open === 'call') return delta({ type: 'input_json_delta', partial_json: text });
    if (open === 'thinking') return think() + delta({ type: 'thinking_delta', thinking: text });
    return delta({ type: 'text_delta', text });
  }

  function start(id: string | null, model: string | null): string {
    return send('message_start', {
      message: {
        id: replyId(id, asked),
        type: 'message',
        role: 'assistant',
        model: model ?? asked.model,
        content: [],
        stop_reason: null,
        stop_sequence: null,
        stop_details: null,
        container: null,
        usage: { ...usageBlanks, ...writeUsage(usage && { ...usage, output: 0, reasoning: null }) },
      },
    });
  }

  return {
    write(event) {
      switch (event.kind) {
        case 'start':
          return start(event.id, event.model);
        case 'open':
          return begin(event);
        case 'delta':
          return more(event.text);
        case 'sign':
          return sign(event.signature);
        case 'close':
          return send('content_block_stop', { index });
        case 'usage':
          usage = event.usage;
          return '';
        case 'stop':
          stop = event.stop;
          return '';
        case 'end':
          return `${send('message_delta', {
            delta: { ...writeStop(stop, refused), container: null },
            usage: writeUsage(usage),
          })}${send('message_stop')}`;
        case 'error':
          return send('error', writeError(event.error));
      }
    },
  };
}
