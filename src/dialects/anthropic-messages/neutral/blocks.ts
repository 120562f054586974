import { callId } from '../../ids.ts';
import { asObject, asString, type JsonObject } from '../../json.ts';
import type { ContentPart, MediaPart, Part, ResultPart } from '../../neutral.ts';
import { Members, type Own, type Pen } from '../../own.ts';
import { readSignature, tagged } from '../../signature.ts';
import { argsValue } from '../../turns.ts';

/** The content of a message: a text, or a list of blocks. */
export function readContent(m: Members): Part[] {
  const text = m.string('content');
  if (text !== null) return [{ kind: 'text', text }];
  const list = m.list('content');
  if (!list) return [];
  m.spell('content', 'list');
  return list.map(readBlock);
}

export function readBlock(value: unknown): Part {
  const unknown = { kind: 'unknown', at: 'content', value } as const;
  const m = new Members(asObject(value) ?? {});
  switch (m.word('type', ['thinking', 'redacted_thinking', 'tool_use', 'tool_result'])) {
    case 'thinking': {
      const [text, signature] = [m.string('thinking'), m.string('signature')];
      if (text === null || signature === null) return unknown;
      return {
        kind: 'thinking',
        text,
        signature: readSignature(signature, 'anthropic-messages', false),
        ...m.own(),
      };
    }
    case 'redacted_thinking': {
      const data = m.string('data');
      if (data === null) return unknown;
      return {
        kind: 'thinking',
        text: '',
        signature: readSignature(data, 'anthropic-messages', true),
        ...m.own(),
      };
    }
    case 'tool_use': {
      const [id, name] = [m.string('id'), m.string('name')];
      return id === null || name === null
        ? unknown
        : { kind: 'call', id, name, args: m.any('input') ?? {}, ...m.own() };
    }
    case 'tool_result':
      return readResult(m) ?? unknown;
    default:
      return readSimple(value);
  }
}

function readResult(m: Members): ResultPart | null {
  const id = m.string('tool_use_id');
  const isError = m.boolean('is_error');
  const text = m.string('content');
  const list = text === null ? m.list('content') : null;
  if (list) m.spell('content', 'list');
  const parts = text === null ? (list ?? []).map(readSimple) : [{ kind: 'text' as const, text }];
  return id === null ? null : { kind: 'result', id, name: null, parts, isError, ...m.own() };
}

/** A block that may also stand in a result. */
function readSimple(value: unknown): ContentPart {
  const unknown = { kind: 'unknown', at: 'content', value } as const;
  const m = new Members(asObject(value) ?? {});
  switch (m.word('type', ['text', 'image', 'document'])) {
    case 'text': {
      const text = m.string('text');
      return text === null ? unknown : { kind: 'text', text, ...m.own() };
    }
    case 'image':
      return readMedia('image', m) ?? unknown;
    case 'document':
      return readMedia('file', m) ?? unknown;
    default:
      return unknown;
  }
}

function readMedia(kind: MediaPart['kind'], m: Members): MediaPart | null {
  const from = m.within('source');
  const type = from?.word('type', ['base64', 'text', 'url', 'file']);
  const mediaType = from?.string('media_type') ?? null;
  const value = from?.string(type === 'url' ? 'url' : type === 'file' ? 'file_id' : 'data');
  if (!type || typeof value !== 'string') return null;
  const name = m.string('title');
  const source =
    type === 'url'
      ? { url: value }
      : type === 'file'
        ? { id: value }
        : { data: type === 'text' ? Buffer.from(value).toString('base64') : value };
  if (type === 'text') m.spell('text', value);
  return {
    kind,
    mediaType: mediaType ?? (kind === 'file' && type === 'url' ? 'application/pdf' : null),
    source,
    name,
    detail: null,
    ...m.own(),
  };
}

export function writeContent(parts: Part[], node: { own?: Own }, pen: Pen): unknown {
  const [only] = parts;
  if (parts.length === 1 && only?.kind === 'text' && pen.spelled(node, 'content') !== 'list')
    return only.text;
  return parts.length === 0 ? null : parts.map((part) => writeBlock(part, pen));
}

export function writeBlock(part: Part, pen: Pen): unknown {
  switch (part.kind) {
    case 'text':
    case 'refusal':
      return pen.give({ type: 'text', text: part.text }, part);
    case 'thinking': {
      const { sealed } = part.signature;
      const value = tagged(part.signature, 'anthropic-messages');
      // Only its own sealed thinking is redacted: of another it may be that a part can be read.
      return sealed && part.signature.origin === 'anthropic-messages'
        ? pen.give({ type: 'redacted_thinking', data: value }, part)
        : pen.give({ type: 'thinking', thinking: part.text, signature: value }, part);
    }
    case 'call': {
      const id = pen.same ? part.id : callId(part.id, 'anthropic-messages');
      return pen.give({ type: 'tool_use', id, name: part.name, input: argsValue(part.args) }, part);
    }
    case 'result': {
      const id = pen.same ? part.id : callId(part.id, 'anthropic-messages');
      const content = writeContent(part.parts, part, pen);
      return pen.give({ type: 'tool_result', tool_use_id: id, content, is_error: part.isError }, part);
    }
    case 'unknown':
      return part.value;
    default:
      return writeMedia(part, pen);
  }
}

function writeMedia(part: MediaPart, pen: Pen): JsonObject {
  const { kind, source, mediaType } = part;
  const type = kind === 'image' ? 'image' : 'document';
  const text = asString(pen.spelled(part, 'text'));
  return pen.give({ type, source: pen.give(sourceOf(source, mediaType, text)), title: part.name }, part);
}

function sourceOf(source: MediaPart['source'], mediaType: string | null, text: string | null): JsonObject {
  if ('url' in source) return { type: 'url', url: source.url };
  if ('id' in source) return { type: 'file', file_id: source.id };
  if (mediaType === 'text/plain')
    return {
      type: 'text',
      media_type: mediaType,
      data: text ?? Buffer.from(source.data, 'base64').toString('utf8'),
    };
  return { type: 'base64', media_type: mediaType, data: source.data };
}
