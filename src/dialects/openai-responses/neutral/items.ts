import { callId } from '../../ids.ts';
import { asArray, asObject, asString, type JsonObject } from '../../json.ts';
import type { CallPart, Signature, ThinkingPart } from '../../neutral.ts';
import type { Members, Pen } from '../../own.ts';
import { readSignature, tagged } from '../../signature.ts';
import { parseObject } from '../../stream.ts';
import { argsText } from '../../turns.ts';

/** An item `function_call`; null: it is none. */
export function readCall(m: Members): CallPart | null {
  const [id, name, args] = [m.string('call_id'), m.string('name'), m.string('arguments')];
  if (id === null || name === null || args === null) return null;
  // By these OpenAI names an item that it has stored.
  m.spell('id', m.string('id'));
  m.spell('status', m.string('status'));
  return { kind: 'call', id, name, args, ...m.own() };
}

export function writeCall(part: CallPart, pen: Pen): JsonObject {
  return pen.give(
    {
      type: 'function_call',
      id: pen.spelled(part, 'id'),
      status: pen.spelled(part, 'status'),
      call_id: pen.same ? part.id : callId(part.id, 'openai-responses'),
      name: part.name,
      arguments: argsText(part.args),
    },
    part,
  );
}

/** An item `reasoning`: what may be read of it is in its summary, or open beside it. */
export function readReasoning(m: Members): ThinkingPart {
  const [id, encrypted] = [m.string('id'), m.string('encrypted_content')];
  const [summary, content] = [m.list('summary'), m.list('content')];
  const texts = [...asArray(content), ...asArray(summary)].map(
    (each) => asString(asObject(each)?.text) ?? '',
  );
  m.spell('id', id);
  m.spell('encrypted', encrypted);
  m.spell('summary', summary);
  m.spell('content', content);
  m.spell('status', m.string('status'));
  return { kind: 'thinking', text: texts.join('\n\n'), signature: signatureOf(id, encrypted), ...m.own() };
}

/** OpenAI knows its own by the id and what is encrypted together. */
export function signatureOf(id: string | null, encrypted: string | null): Signature {
  const read = readSignature(encrypted ?? '', 'openai-responses', false);
  return read.origin === 'openai-responses'
    ? { ...read, value: JSON.stringify({ id, encrypted_content: encrypted }) }
    : read;
}

/** `id`: for an item of another make. */
export function writeReasoning(part: ThinkingPart, id: string, pen: Pen): JsonObject {
  if (pen.same) {
    const of = (name: string) => pen.spelled(part, name);
    return pen.give(
      {
        type: 'reasoning',
        id: of('id'),
        summary: of('summary'),
        content: of('content'),
        encrypted_content: of('encrypted'),
        status: of('status'),
      },
      part,
    );
  }
  return reasoningItem(part.text, part.signature, id);
}

export function reasoningItem(text: string, signature: Signature, id: string): JsonObject {
  const own = signature.origin === 'openai-responses' ? parseObject(signature.value) : null;
  const encrypted = own ? own.encrypted_content : tagged(signature, 'openai-responses');
  return {
    id: own?.id ?? id,
    type: 'reasoning',
    summary: text === '' ? [] : [{ type: 'summary_text', text }],
    ...(typeof encrypted === 'string' && { encrypted_content: encrypted }),
  };
}
