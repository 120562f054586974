import { asObject, asString, type JsonObject } from '../../json.ts';
import type { StreamReader } from '../../neutral-dialect.ts';
import { OpenPart } from '../../open-part.ts';
import { readSignature } from '../../signature.ts';
import { readUsage } from '../usage.ts';
import { readError } from './error.ts';
import { readStop } from './reply.ts';

export function readStream(): StreamReader {
  const parts = new OpenPart('anthropic-messages');
  let counts: JsonObject = {};

  function count(usage: unknown): void {
    counts = { ...counts, ...asObject(usage) };
    const read = readUsage(counts).usage;
    if (read) parts.add({ kind: 'usage', usage: read });
  }

  function begin(block: JsonObject): void {
    switch (block.type) {
      case 'text':
        parts.say('text', block.text);
        break;
      case 'thinking':
        parts.begin('thinking');
        parts.say('thinking', block.thinking);
        break;
      case 'redacted_thinking':
        parts.close();
        parts.sign(readSignature(asString(block.data) ?? '', 'anthropic-messages', true));
        break;
      case 'tool_use':
        parts.call(asString(block.id) ?? '', asString(block.name) ?? '');
        // It is empty, and comes in pieces; some who speak like Anthropic give it whole.
        if (Object.keys(asObject(block.input) ?? {}).length > 0) parts.args(JSON.stringify(block.input));
    }
  }

  function more(delta: JsonObject): void {
    parts.say('text', delta.text);
    parts.say('thinking', delta.thinking);
    parts.args(asString(delta.partial_json) ?? '');
    const signature = asString(delta.signature);
    if (signature !== null && signature !== '')
      parts.sign(readSignature(signature, 'anthropic-messages', false));
  }

  return {
    read(event) {
      const delta = asObject(event.delta) ?? {};
      switch (event.type) {
        case 'message_start': {
          const message = asObject(event.message) ?? {};
          count(message.usage);
          parts.add({ kind: 'start', id: asString(message.id), model: asString(message.model) });
          break;
        }
        case 'content_block_start':
          begin(asObject(event.content_block) ?? {});
          break;
        case 'content_block_delta':
          more(delta);
          break;
        case 'content_block_stop':
          parts.close();
          break;
        case 'message_delta': {
          const stop = readStop(asString(delta.stop_reason), asString(delta.stop_sequence));
          if (stop) parts.add({ kind: 'stop', stop });
          count(event.usage);
          break;
        }
        case 'message_stop':
          parts.add({ kind: 'end' });
          break;
        case 'error':
          parts.add({ kind: 'error', error: readError(event, null) });
      }
      return parts.take();
    },
  };
}
