import { callId, replyId } from '../../ids.ts';
import { asObject, type JsonObject } from '../../json.ts';
import type { Asked, StreamWriter } from '../../neutral-dialect.ts';
import type { NeutralError, Stop, StreamEvent } from '../../neutral-reply.ts';
import { tagged } from '../../signature.ts';
import { argsValue } from '../../turns.ts';
import type { TokenUsage } from '../../usage.ts';
import { writeError } from './error.ts';
import { finishReason, writeUsage } from './reply.ts';

/** A call goes out whole, so its arguments are held; more than 4 Mi characters end the stream. */
const maxHeldChars = 4 * 1024 * 1024;

type Opened = Extract<StreamEvent, { kind: 'open' }>;

export function writeStream(asked: Asked): StreamWriter {
  let head: JsonObject = {};
  let part: Opened | null = null;
  let args: string[] = [];
  let chars = 0;
  let said = false;
  let signature: string | null = null;
  let refused = false;
  let stop: Stop | null = null;
  let usage: TokenUsage | null = null;
  let chunks = 0;
  let over = false;

  const frame = (value: JsonObject) => {
    const json = JSON.stringify(value);
    if (asked.sse) return `data: ${json}\r\n\r\n`;
    return `${chunks++ === 0 ? '[' : ',\r\n'}${json}`;
  };
  const chunk = (parts: JsonObject[], more: JsonObject = {}) =>
    frame({ candidates: [{ content: { role: 'model', parts }, index: 0, ...more }], ...head });
  /** The part that follows thinking carries its signature. */
  const signed = (value: JsonObject) => {
    const all = signature === null ? value : { ...value, thoughtSignature: signature };
    signature = null;
    return all;
  };

  function more(text: string): string {
    if (part?.part === 'call') {
      chars += text.length;
      if (chars > maxHeldChars) return fail('A tool call is longer than weir can hold.');
      args.push(text);
      return '';
    }
    said = true;
    return chunk([part?.part === 'thinking' ? { text, thought: true } : signed({ text })]);
  }

  function close(): string {
    if (part?.part === 'call') {
      const value = argsValue(args.join(''));
      const call = {
        id: callId(part.id, 'gemini-generate'),
        name: part.name,
        args: asObject(value) ?? { arguments: value },
      };
      return chunk([signed({ functionCall: call })]);
    }
    if (part?.part !== 'thinking' || !said || signature === null) return '';
    return chunk([signed({ text: '', thought: true })]);
  }

  function end(): string {
    const last = signature === null ? [] : [signed({ text: '' })];
    const counts = usage && { usageMetadata: writeUsage(usage) };
    const text = frame({
      candidates: [
        { content: { role: 'model', parts: last }, finishReason: finishReason(stop, refused), index: 0 },
      ],
      ...counts,
      ...head,
    });
    return asked.sse ? text : `${text}]`;
  }

  function fail(message: string): string {
    return tell({ kind: 'server', status: null, message, code: null, param: null });
  }

  function tell(error: NeutralError): string {
    over = true;
    const text = frame(writeError(error));
    return asked.sse ? text : `${text}]`;
  }

  return {
    write(event) {
      if (over) return '';
      switch (event.kind) {
        case 'start':
          head = { modelVersion: event.model ?? asked.model, responseId: replyId(event.id, asked) };
          return '';
        case 'open':
          part = event;
          args = [];
          chars = 0;
          said = false;
          refused ||= event.part === 'refusal';
          return '';
        case 'delta':
          return more(event.text);
        case 'sign':
          signature = tagged(event.signature, 'gemini-generate') || null;
          return '';
        case 'close':
          return close();
        case 'usage':
          usage = event.usage;
          return '';
        case 'stop':
          stop = event.stop;
          return '';
        case 'end':
          return end();
        case 'error':
          return tell(event.error);
      }
    },
  };
}
