import { callId, replyId } from '../../ids.ts';
import type { JsonObject } from '../../json.ts';
import type { Asked, StreamWriter } from '../../neutral-dialect.ts';
import type { StreamEvent } from '../../neutral-reply.ts';
import { writeError } from '../../openai/neutral-error.ts';
import { writeUsage } from '../../openai/write-usage.ts';
import type { TokenUsage } from '../../usage.ts';
import { writeDetail } from './assistant.ts';
import { stopWords } from './stop.ts';

export function writeStream(asked: Asked): StreamWriter {
  let head: JsonObject = {};
  let open: string = '';
  let calls = 0;
  let details = 0;
  let finish: string = 'stop';
  let usage: TokenUsage | null = null;

  const data = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;
  const chunk = (delta: JsonObject, finish_reason: string | null = null) =>
    data({
      ...head,
      choices: [{ index: 0, delta, logprobs: null, finish_reason }],
      ...(asked.usage && { usage: null }),
    });

  function delta(text: string): string {
    switch (open) {
      case 'call':
        return chunk({ tool_calls: [{ index: calls - 1, function: { arguments: text } }] });
      case 'thinking':
        return chunk({ reasoning_content: text });
      case 'refusal':
        return chunk({ refusal: text });
      default:
        return chunk({ content: text });
    }
  }

  function end(): string {
    const last = chunk({}, finish);
    const counts =
      asked.usage && usage ? data({ ...head, choices: [], usage: writeUsage(usage, 'chat') }) : '';
    return `${last}${counts}data: [DONE]\n\n`;
  }

  return {
    write(event: StreamEvent) {
      switch (event.kind) {
        case 'start':
          head = {
            id: replyId(event.id, asked),
            object: 'chat.completion.chunk',
            created: asked.created,
            model: event.model ?? asked.model,
          };
          return chunk({ role: 'assistant', content: '', refusal: null });
        case 'open':
          open = event.part;
          if (event.part !== 'call') return '';
          return chunk({
            tool_calls: [
              {
                index: calls++,
                id: callId(event.id, 'openai-chat'),
                type: 'function',
                function: { name: event.name, arguments: '' },
              },
            ],
          });
        case 'delta':
          return delta(event.text);
        case 'sign':
          return event.signature.value === ''
            ? ''
            : chunk({ reasoning_details: [writeDetail(event.signature, details++)] });
        case 'usage':
          usage = event.usage;
          return '';
        case 'stop':
          finish = stopWords[event.stop.reason];
          return '';
        case 'end':
          return end();
        case 'error':
          return data(writeError(event.error));
        default:
          return '';
      }
    },
  };
}
