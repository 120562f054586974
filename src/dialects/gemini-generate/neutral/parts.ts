import { callId } from '../../ids.ts';
import { asObject, type JsonObject } from '../../json.ts';
import { mediaTypeOf } from '../../media.ts';
import type { CallPart, MediaPart, Part } from '../../neutral.ts';
import { Members, type Pen } from '../../own.ts';
import { readSignature, tagged, unsigned } from '../../signature.ts';
import { argsValue } from '../../turns.ts';
import { noSignature } from '../versions.ts';
import { readResult, writeResult } from './results.ts';

/**
 * The parts of a content. Google signs whatever part followed its thinking: to the neutral form that is
 * thinking that cannot be read, before the part. `nameCall`: names calls that have no id.
 */
export function readParts(values: unknown[], nameCall?: () => string): Part[] {
  return values.flatMap((value): Part[] => {
    const m = new Members(asObject(value) ?? {});
    const signed = m.string('thoughtSignature', 'thought_signature');
    const signature = signed === null ? null : readSignature(signed, 'gemini-generate', false);
    if (m.boolean('thought') === true) {
      const text = m.string('text');
      if (text === null) return [{ kind: 'unknown', at: 'parts', value }];
      return [{ kind: 'thinking', text, signature: signature ?? unsigned('gemini-generate'), ...m.own() }];
    }
    const part = readPart(m, nameCall);
    if (!part) return [{ kind: 'unknown', at: 'parts', value }];
    return signature ? [{ kind: 'thinking', text: '', signature }, part] : [part];
  });
}

function readPart(m: Members, nameCall: (() => string) | undefined): Part | null {
  const text = m.string('text');
  if (text !== null) return { kind: 'text', text, ...m.own() };
  const call = m.within('functionCall', 'function_call');
  if (call) return readCall(call, m, nameCall);
  const result = m.within('functionResponse', 'function_response');
  if (result) return readResult(result, m);
  return readMedia(m);
}

function readCall(call: Members, m: Members, nameCall: (() => string) | undefined): CallPart | null {
  const [id, name] = [call.string('id'), call.string('name')];
  const args = call.any('args');
  if (id === null) m.spell('id', 'none');
  if (args === null) m.spell('args', 'none');
  return name === null
    ? null
    : { kind: 'call', id: id ?? nameCall?.() ?? '', name, args: args ?? {}, ...m.own() };
}

export function readMedia(m: Members): MediaPart | null {
  const inline = m.within('inlineData', 'inline_data');
  const file = m.within('fileData', 'file_data');
  const from = inline ?? file;
  const mediaType = from?.string('mimeType', 'mime_type') ?? null;
  const name = from?.string('displayName', 'display_name') ?? null;
  const value = inline ? inline.string('data') : (file?.string('fileUri', 'file_uri') ?? null);
  if (value === null) return null;
  const [, group] = /^(image|audio)\//.exec(mediaType ?? '') ?? [];
  const kind = group === 'image' || group === 'audio' ? group : 'file';
  return {
    kind,
    mediaType,
    source: inline ? { data: value } : whereOf(value),
    name,
    detail: null,
    ...m.own(),
  };
}

/** What only Google can fetch has an id there; anything else is a URL. */
function whereOf(uri: string): MediaPart['source'] {
  const isOwn = !/^https?:/.test(uri) || /^https:\/\/generativelanguage\.googleapis\.com\//.test(uri);
  return isOwn ? { id: uri } : { url: uri };
}

/** `names`: the tool of each call, which a result has to tell. `signs`: calls must have a signature. */
export function writeParts(
  parts: Part[],
  pen: Pen,
  { names, signs }: { names: Map<string, string>; signs: boolean },
): unknown[] {
  const written: unknown[] = [];
  let signature: string | null = null;
  // Of the calls of one answer the first has the signature.
  let mustSign = signs;
  for (const part of parts) {
    if (part.kind === 'text' && part.text === '' && !pen.same && signature === null) continue;
    if (part.kind === 'thinking' && part.text === '') {
      if (signature !== null) written.push(pen.give({ text: '', thoughtSignature: signature }));
      signature = tagged(part.signature, 'gemini-generate') || null;
      continue;
    }
    if (part.kind === 'call' && mustSign) {
      mustSign = false;
      signature ??= noSignature;
    }
    written.push(part.kind === 'unknown' ? part.value : writePart(part, signature, names, pen));
    signature = null;
  }
  if (signature !== null) written.push({ text: '', thoughtSignature: signature });
  return written;
}

type Known = Exclude<Part, { kind: 'unknown' }>;

function writePart(part: Known, signature: string | null, names: Map<string, string>, pen: Pen): JsonObject {
  const give = (fields: JsonObject) => pen.give({ ...fields, thoughtSignature: signature }, part);
  switch (part.kind) {
    case 'text':
    case 'refusal':
      return give({ text: part.text });
    case 'thinking': {
      const own = tagged(part.signature, 'gemini-generate') || null;
      return pen.give({ text: part.text, thought: true, thoughtSignature: own }, part);
    }
    case 'call': {
      const id = pen.same ? part.id : callId(part.id, 'gemini-generate');
      const told = pen.spelled(part, 'id') === 'none' ? null : id || null;
      const args = pen.spelled(part, 'args') === 'none' ? null : objectOf(part.args);
      return give({ functionCall: pen.give({ id: told, name: part.name, args }) });
    }
    case 'result':
      return give({ functionResponse: writeResult(part, names, pen) });
    default:
      return give(writeMedia(part, pen));
  }
}

/** Google takes an object; whatever else a model wrote is put into one. */
function objectOf(args: unknown): JsonObject {
  const value = argsValue(args);
  return asObject(value) ?? { arguments: value };
}

export function writeMedia({ source, mediaType, name }: MediaPart, pen: Pen): JsonObject {
  if ('data' in source) {
    return { inlineData: pen.give({ mimeType: mediaType, data: source.data, displayName: name }) };
  }
  const fileUri = 'url' in source ? source.url : source.id;
  const type = mediaType ?? (pen.same ? null : mediaTypeOf(fileUri));
  return { fileData: pen.give({ mimeType: type, fileUri, displayName: name }) };
}
