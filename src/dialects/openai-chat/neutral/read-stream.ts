import { asArray, asObject, asString, type JsonObject } from '../../json.ts';
import type { StreamReader } from '../../neutral-dialect.ts';
import type { StreamEvent } from '../../neutral-reply.ts';
import { OpenPart } from '../../open-part.ts';
import { readError } from '../../openai/neutral-error.ts';
import { readUsage } from '../../openai/usage.ts';
import { signatureOf } from './assistant.ts';
import { readStop } from './stop.ts';

export function readStream(): StreamReader {
  const parts = new OpenPart('openai-chat');
  let started = false;
  let stopped = false;
  let over = false;
  /** The call that is open: providers tell calls apart by index, or by id alone. */
  let call: { index: unknown; id: string | null } | null = null;

  function readCalls(calls: unknown): void {
    for (const each of asArray(calls)) {
      const piece = asObject(each);
      if (!piece) continue;
      const f = asObject(piece.function);
      const [id, name] = [asString(piece.id), asString(f?.name)];
      const another = !call || piece.index !== call.index || (id !== null && id !== '' && id !== call.id);
      if (another && name !== null) {
        parts.call(id ?? '', name);
        call = { index: piece.index, id };
      } else if (another) {
        fail('The provider mixed the arguments of several tool calls.');
        return;
      }
      parts.args(asString(f?.arguments) ?? '');
    }
  }

  function fail(message: string): void {
    over = true;
    parts.add({ kind: 'error', error: { kind: 'server', status: null, message, code: null, param: null } });
  }

  function readDelta(delta: JsonObject): void {
    parts.say('thinking', delta.reasoning_content ?? delta.reasoning);
    for (const detail of asArray(delta.reasoning_details)) {
      const signature = signatureOf(asObject(detail) ?? {});
      if (signature) parts.sign(signature);
    }
    parts.say('text', delta.content);
    parts.say('refusal', delta.refusal);
    readCalls(delta.tool_calls);
  }

  function end(): StreamEvent[] {
    if (over) return [];
    over = true;
    parts.close();
    parts.add({ kind: 'end' });
    return parts.take();
  }

  return {
    read(chunk, type) {
      if (over) return [];
      if (chunk.error !== undefined || type === 'error') {
        over = true;
        return [{ kind: 'error', error: readError(chunk, null) }];
      }
      if (!started) {
        started = true;
        parts.add({ kind: 'start', id: asString(chunk.id), model: asString(chunk.model) });
      }
      // With n > 1 there would be others, but no such request is translated.
      const choice = asObject(asArray(chunk.choices).find((each) => (asObject(each)?.index ?? 0) === 0));
      const delta = asObject(choice?.delta);
      if (delta) readDelta(delta);
      const stop = readStop(asString(choice?.finish_reason), call !== null);
      if (stop && !over) {
        stopped = true;
        parts.close();
        parts.add({ kind: 'stop', stop });
      }
      const usage = readUsage(chunk.usage) ?? readUsage(asObject(chunk.x_groq)?.usage);
      if (usage) parts.add({ kind: 'usage', usage });
      return parts.take();
    },
    other: (data) => (data === '[DONE]' ? end() : []),
    /** Some end without saying so. */
    close: () => (stopped ? end() : []),
  };
}
