import { callId } from '../../ids.ts';
import { asObject, type JsonObject } from '../../json.ts';
import type { ContentPart, ResultPart } from '../../neutral.ts';
import { Members, type Pen } from '../../own.ts';
import { parseObject } from '../../stream.ts';
import { readMedia, writeMedia } from './parts.ts';

/**
 * What a function gave is an object to Google, and text to all others: `{output}` and `{error}` are the
 * text that is in them, any other object is its JSON. Google's advice for what is no object.
 */
export function readResult(result: Members, m: Members): ResultPart {
  const [id, name] = [result.string('id'), result.string('name')];
  const response = result.object('response');
  if (response) m.spell('response', response);
  const media = (result.list('parts') ?? []).map((value): ContentPart => {
    const inner = new Members(asObject(value) ?? {});
    const read = readMedia(inner);
    return read ? { ...read, ...inner.own() } : { kind: 'unknown', at: 'parts', value };
  });
  const { text, isError } = textOf(response);
  const parts: ContentPart[] = text === null ? media : [{ kind: 'text', text }, ...media];
  return { kind: 'result', id: id ?? '', name, parts, isError, ...m.own() };
}

function textOf(response: JsonObject | null): { text: string | null; isError: boolean | null } {
  if (!response) return { text: null, isError: null };
  const [name, ...others] = Object.keys(response);
  const value = response[name ?? ''];
  if (others.length === 0 && typeof value === 'string' && (name === 'output' || name === 'error'))
    return { text: value, isError: name === 'error' ? true : null };
  return { text: JSON.stringify(response), isError: null };
}

export function writeResult(part: ResultPart, names: Map<string, string>, pen: Pen): JsonObject {
  const media = part.parts.flatMap((each) => {
    if (each.kind === 'unknown') return [each.value];
    return each.kind === 'text' || each.kind === 'refusal' ? [] : [pen.give(writeMedia(each, pen), each)];
  });
  return pen.give({
    id: (pen.same ? part.id : callId(part.id, 'gemini-generate')) || null,
    name: part.name ?? (pen.same ? null : (names.get(part.id) ?? part.id)),
    response: pen.same ? pen.spelled(part, 'response') : responseOf(part),
    parts: media.length > 0 ? media : null,
  });
}

function responseOf({ parts, isError }: ResultPart): JsonObject {
  const text = parts.map((part) => ('text' in part ? part.text : '')).join('');
  if (isError === true) return { error: text };
  // Only what reads back as it is here; the rest stays text.
  const object = text.startsWith('{') ? parseObject(text) : null;
  const exact = object && JSON.stringify(object) === text && textOf(object).text === text;
  return exact ? object : { output: text };
}
