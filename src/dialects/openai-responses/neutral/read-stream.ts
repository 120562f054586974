import { asObject, asString, type JsonObject } from '../../json.ts';
import type { StreamReader } from '../../neutral-dialect.ts';
import { OpenPart } from '../../open-part.ts';
import { readError } from '../../openai/neutral-error.ts';
import { readUsage } from '../../openai/usage.ts';
import { signatureOf } from './items.ts';
import { readStop } from './reply.ts';

export function readStream(): StreamReader {
  const parts = new OpenPart('openai-responses');
  let called = false;
  /** Parts of the open thinking so far: they are apart by a blank line. */
  let thoughts = 0;

  function begin(item: JsonObject): void {
    if (item.type === 'function_call') {
      called = true;
      parts.call(asString(item.call_id) ?? '', asString(item.name) ?? '');
    } else if (item.type === 'reasoning') {
      parts.close();
      parts.begin('thinking');
      thoughts = 0;
    }
  }

  function finish(item: JsonObject): void {
    if (item.type === 'reasoning')
      parts.sign(signatureOf(asString(item.id), asString(item.encrypted_content)));
    if (item.type === 'function_call' && !parts.hasArgs) parts.args(asString(item.arguments) ?? '');
    parts.close();
  }

  function end(response: JsonObject): void {
    parts.close();
    const usage = readUsage(response.usage);
    if (usage) parts.add({ kind: 'usage', usage });
    const stop = readStop(response, called ? [{ kind: 'call' }] : []);
    if (stop) parts.add({ kind: 'stop', stop });
    parts.add({ kind: 'end' });
  }

  return {
    read(event) {
      const response = asObject(event.response) ?? {};
      switch (event.type) {
        case 'response.created':
          parts.add({ kind: 'start', id: asString(response.id), model: asString(response.model) });
          break;
        case 'response.output_item.added':
          begin(asObject(event.item) ?? {});
          break;
        case 'response.content_part.added':
          if (asObject(event.part)?.type !== 'reasoning_text') parts.close();
          else if (thoughts++ > 0) parts.say('thinking', '\n\n');
          break;
        case 'response.reasoning_summary_part.added':
          if (thoughts++ > 0) parts.say('thinking', '\n\n');
          break;
        case 'response.output_text.delta':
          parts.say('text', event.delta);
          break;
        case 'response.refusal.delta':
          parts.say('refusal', event.delta);
          break;
        case 'response.reasoning_text.delta':
        case 'response.reasoning_summary_text.delta':
          parts.say('thinking', event.delta);
          break;
        case 'response.function_call_arguments.delta':
          parts.args(asString(event.delta) ?? '');
          break;
        case 'response.output_item.done':
          finish(asObject(event.item) ?? {});
          break;
        case 'response.completed':
        case 'response.incomplete':
          end(response);
          break;
        case 'response.failed':
          parts.add({ kind: 'error', error: readError(response, null) });
          break;
        case 'error':
          parts.add({ kind: 'error', error: readError(event, null) });
      }
      return parts.take();
    },
  };
}
