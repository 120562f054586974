import { replyId } from '../../ids.ts';
import type { JsonObject } from '../../json.ts';
import type { Signature } from '../../neutral.ts';
import type { Asked, StreamWriter } from '../../neutral-dialect.ts';
import type { NeutralError, Stop, StreamEvent } from '../../neutral-reply.ts';
import { writeUsage } from '../../openai/write-usage.ts';
import { unsigned } from '../../signature.ts';
import type { TokenUsage } from '../../usage.ts';
import { reasoningItem } from './items.ts';
import { callItem, envelope, messageItem } from './reply.ts';

/** The last event tells the whole answer again, so it is held; more than 4 Mi characters end the stream. */
const maxHeldChars = 4 * 1024 * 1024;

type Opened = Extract<StreamEvent, { kind: 'open' }>;

export function writeStream(asked: Asked): StreamWriter {
  let head = { id: replyId(null, asked), model: asked.model, created: asked.created };
  let sequence = 0;
  let part: Opened | null = null;
  let texts: string[] = [];
  let chars = 0;
  let signature: Signature | null = null;
  let stop: Stop = { reason: 'end', sequence: null };
  let usage: TokenUsage | null = null;
  let over = false;
  const output: JsonObject[] = [];

  const send = (type: string, members: JsonObject) =>
    `event: ${type}\ndata: ${JSON.stringify({ type, ...members, sequence_number: sequence++ })}\n\n`;
  const itemId = () => `${head.id.slice('resp_'.length)}_${output.length}`;
  /** By which the events of a part name it. */
  const at = (prefix: string, index: string) => ({
    item_id: `${prefix}_${itemId()}`,
    output_index: output.length,
    [index]: 0,
  });
  const content = () => at('msg', 'content_index');
  const summary = () => at('rs', 'summary_index');
  const call = () => ({ item_id: `fc_${itemId()}`, output_index: output.length });
  const item = (type: string, value: JsonObject) => send(type, { output_index: output.length, item: value });
  const said = (text: string) =>
    part?.part === 'refusal'
      ? { type: 'refusal', refusal: text }
      : { type: 'output_text', text, annotations: [], logprobs: [] };

  function start(event: Extract<StreamEvent, { kind: 'start' }>): string {
    head = { id: replyId(event.id, asked), model: event.model, created: asked.created };
    const response = { ...envelope({ ...head, stop: null }, asked), output: [], usage: null };
    return send('response.created', { response }) + send('response.in_progress', { response });
  }

  function begin(event: Opened): string {
    part = event;
    texts = [];
    signature = null;
    const added = 'response.output_item.added';
    if (event.part === 'call')
      return item(added, callItem(event.id, event.name, '', itemId(), 'in_progress'));
    if (event.part === 'thinking') {
      return item(added, { id: `rs_${itemId()}`, type: 'reasoning', summary: [] });
    }
    return (
      item(added, messageItem(null, itemId())) +
      send('response.content_part.added', { ...content(), part: said('') })
    );
  }

  function more(text: string): string {
    texts.push(text);
    chars += text.length;
    if (chars > maxHeldChars)
      return fail('The answer is longer than weir can hold for the last event of a Responses stream.');
    switch (part?.part) {
      case 'call':
        return send('response.function_call_arguments.delta', { ...call(), delta: text });
      case 'thinking':
        return (
          (texts.length > 1
            ? ''
            : send('response.reasoning_summary_part.added', {
                ...summary(),
                part: { type: 'summary_text', text: '' },
              })) + send('response.reasoning_summary_text.delta', { ...summary(), delta: text })
        );
      case 'refusal':
        return send('response.refusal.delta', { ...content(), delta: text });
      default:
        return send('response.output_text.delta', { ...content(), delta: text, logprobs: [] });
    }
  }

  function close(): string {
    const text = texts.join('');
    const [events, whole] = closing(text);
    const done = item('response.output_item.done', whole);
    output.push(whole);
    return events + done;
  }

  function closing(text: string): [events: string, item: JsonObject] {
    switch (part?.part) {
      case 'call':
        return [
          send('response.function_call_arguments.done', { ...call(), name: part.name, arguments: text }),
          callItem(part.id, part.name, text, itemId()),
        ];
      case 'thinking': {
        const whole = reasoningItem(text, signature ?? unsigned('openai-responses'), `rs_${itemId()}`);
        if (text === '') return ['', whole];
        const done = { type: 'summary_text', text };
        return [
          send('response.reasoning_summary_text.done', { ...summary(), text }) +
            send('response.reasoning_summary_part.done', { ...summary(), part: done }),
          whole,
        ];
      }
      default: {
        const whole = said(text);
        const type = part?.part === 'refusal' ? 'response.refusal.done' : 'response.output_text.done';
        const told = part?.part === 'refusal' ? { refusal: text } : { text, logprobs: [] };
        return [
          send(type, { ...content(), ...told }) +
            send('response.content_part.done', { ...content(), part: whole }),
          messageItem(whole, itemId()),
        ];
      }
    }
  }

  function end(): string {
    const response: JsonObject = {
      ...envelope({ ...head, stop }, asked),
      output,
      usage: usage && writeUsage(usage, 'responses'),
    };
    return send(`response.${response.incomplete_details ? 'incomplete' : 'completed'}`, { response });
  }

  function fail(message: string): string {
    return tell({ kind: 'server', status: null, message, code: 'server_error', param: null });
  }

  function tell({ code, kind, message, param }: NeutralError): string {
    over = true;
    return send('error', { code: code ?? kind, message, param });
  }

  return {
    write(event) {
      if (over) return '';
      switch (event.kind) {
        case 'start':
          return start(event);
        case 'open':
          return begin(event);
        case 'delta':
          return more(event.text);
        case 'sign':
          signature = event.signature;
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
