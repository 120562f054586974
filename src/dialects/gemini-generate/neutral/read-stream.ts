import { asArray, asObject, asString, type JsonObject } from '../../json.ts';
import type { StreamReader } from '../../neutral-dialect.ts';
import type { StreamEvent } from '../../neutral-reply.ts';
import { OpenPart } from '../../open-part.ts';
import { readUsage } from '../usage.ts';
import { readError } from './error.ts';
import { readParts } from './parts.ts';
import { callNamer, readStop } from './reply.ts';

export function readStream(id: string): StreamReader {
  const parts = new OpenPart('gemini-generate');
  let nameCall: (() => string) | null = null;
  let called = false;
  let stopped = false;
  let over = false;

  function say(values: unknown[]): void {
    for (const part of readParts(values, nameCall ?? undefined)) {
      if (part.kind === 'thinking') {
        parts.say('thinking', part.text);
        if (part.signature.value === '') continue;
        // Of what follows, not of the thinking before it.
        if (part.text === '') parts.close();
        parts.sign(part.signature);
        parts.close();
      } else if (part.kind === 'text') {
        parts.say('text', part.text);
      } else if (part.kind === 'call') {
        called = true;
        parts.call(part.id, part.name);
        parts.args(JSON.stringify(part.args));
        parts.close();
      }
    }
  }

  function start(chunk: JsonObject): void {
    const responseId = asString(chunk.responseId);
    nameCall = callNamer(responseId ?? id);
    parts.add({ kind: 'start', id: responseId, model: asString(chunk.modelVersion) });
  }

  function end(): StreamEvent[] {
    if (over || !stopped) return [];
    over = true;
    parts.close();
    parts.add({ kind: 'end' });
    return parts.take();
  }

  return {
    read(chunk) {
      if (chunk.error !== undefined) {
        over = true;
        return [{ kind: 'error', error: readError(chunk, null) }];
      }
      const usage = readUsage(chunk.usageMetadata);
      if (usage) parts.add({ kind: 'usage', usage });
      if (!nameCall) start(chunk);
      const candidate = asObject(asArray(chunk.candidates)[0]);
      say(asArray(asObject(candidate?.content)?.parts));
      const blocked = asObject(chunk.promptFeedback)?.blockReason !== undefined;
      const stop = readStop(blocked ? 'SAFETY' : asString(candidate?.finishReason), called);
      if (stop) {
        stopped = true;
        parts.close();
        parts.add({ kind: 'stop', stop });
      }
      return parts.take();
    },
    // Nothing but the end of the bytes says that it is whole.
    close: end,
  };
}
