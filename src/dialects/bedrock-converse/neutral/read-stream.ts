import { AwsEventParser } from '../../aws-event-stream.ts';
import { asObject, asString, type JsonObject } from '../../json.ts';
import type { StreamParser, StreamReader } from '../../neutral-dialect.ts';
import { OpenPart } from '../../open-part.ts';
import { readUsage } from '../usage.ts';
import { readError, readStop } from './reply.ts';

/** Frames as events: their type, or that of the exception. */
export function parseStream(): StreamParser {
  const parser = new AwsEventParser();
  return {
    push: (chunk) =>
      parser.push(chunk).map(({ type, payload }) => ({ type, data: payload.toString('utf8') })),
    get passedOver() {
      return parser.passedOver;
    },
  };
}

export function readStream(): StreamReader {
  const origin = 'bedrock-converse';
  const parts = new OpenPart(origin);
  /** Of the open thinking, whose pieces come one by one. */
  let signature = '';
  let sealed = '';
  let stopped = false;

  function more(delta: JsonObject): void {
    const thought = asObject(delta.reasoningContent);
    parts.say('text', delta.text);
    parts.args(asString(asObject(delta.toolUse)?.input) ?? '');
    parts.say('thinking', thought?.text);
    signature += asString(thought?.signature) ?? '';
    sealed += asString(thought?.redactedContent) ?? '';
  }

  function close(): void {
    if (signature !== '') parts.sign({ origin, value: signature, sealed: false });
    if (sealed !== '') parts.sign({ origin, value: sealed, sealed: true });
    signature = '';
    sealed = '';
    parts.close();
  }

  return {
    read(event, type) {
      switch (type) {
        case 'messageStart':
          parts.add({ kind: 'start', id: null, model: null });
          break;
        case 'contentBlockStart': {
          const call = asObject(asObject(event.start)?.toolUse);
          if (call) parts.call(asString(call.toolUseId) ?? '', asString(call.name) ?? '');
          break;
        }
        case 'contentBlockDelta':
          more(asObject(event.delta) ?? {});
          break;
        case 'contentBlockStop':
          close();
          break;
        case 'messageStop': {
          const stop = readStop(asString(event.stopReason));
          stopped = true;
          if (stop) parts.add({ kind: 'stop', stop });
          break;
        }
        case 'metadata': {
          // The last; those who tell none end without it.
          const usage = readUsage(event.usage);
          if (usage) parts.add({ kind: 'usage', usage });
          if (stopped) parts.add({ kind: 'end' });
          break;
        }
        default:
          if (/Exception$/.test(type)) parts.add({ kind: 'error', error: readError(event, null, type) });
      }
      return parts.take();
    },
    close: () => (stopped ? [{ kind: 'end' }] : []),
  };
}
