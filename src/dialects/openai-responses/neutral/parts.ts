import { asObject, asString, type JsonObject } from '../../json.ts';
import { parseDataUrl, readUrl, writeUrl } from '../../media.ts';
import type { ContentPart, MediaPart } from '../../neutral.ts';
import { partMembers, readOpenaiMembers } from '../../openai/neutral.ts';
import { Members, type Own, type Pen } from '../../own.ts';

/** The content of a message, or what a function gave: a text, or a list of parts. */
export function readContent(m: Members, name: 'content' | 'output'): ContentPart[] {
  const text = m.string(name);
  if (text !== null) return [{ kind: 'text', text }];
  const list = m.list(name);
  if (!list) return [];
  m.spell('content', 'list');
  return list.map((value) => readPart(value));
}

export function readPart(value: unknown): ContentPart {
  const unknown = { kind: 'unknown', at: 'content', value } as const;
  const m = new Members(asObject(value) ?? {});
  const type = m.word('type', ['input_text', 'output_text', 'refusal', 'input_image', 'input_file']);
  switch (type) {
    case 'input_text':
    case 'output_text': {
      const text = m.string('text');
      m.spell('type', type);
      return text === null
        ? unknown
        : { kind: 'text', text, ...readOpenaiMembers(m, partMembers), ...m.own() };
    }
    case 'refusal': {
      const text = m.string('refusal');
      return text === null ? unknown : { kind: 'refusal', text, ...m.own() };
    }
    case 'input_image':
      return readImage(m) ?? unknown;
    case 'input_file':
      return readFile(m) ?? unknown;
    default:
      return unknown;
  }
}

function readImage(m: Members): MediaPart | null {
  const [url, id] = [m.string('image_url'), m.string('file_id')];
  if ((url === null) === (id === null)) return null;
  const where = url === null ? { mediaType: null, source: { id: id ?? '' } } : readUrl(url);
  return { kind: 'image', ...where, ...common(m) };
}

function readFile(m: Members): MediaPart | null {
  const [url, id, data] = [m.string('file_url'), m.string('file_id'), m.string('file_data')];
  if ([url, id, data].filter((each) => each !== null).length !== 1) return null;
  if (url !== null) return { kind: 'file', mediaType: null, source: { url }, ...common(m) };
  if (id !== null) return { kind: 'file', mediaType: null, source: { id }, ...common(m) };
  const parsed = parseDataUrl(data ?? '');
  return parsed && { kind: 'file', mediaType: parsed.mediaType, source: { data: parsed.data }, ...common(m) };
}

function common(m: Members): Pick<MediaPart, 'name' | 'detail' | 'openai' | 'own'> {
  const [name, detail] = [m.string('filename'), m.string('detail')];
  return { name, detail, ...readOpenaiMembers(m, partMembers), ...m.own() };
}

/** `role`: an assistant's texts are output, everybody else's input. */
export function writeContent(parts: ContentPart[], node: { own?: Own }, role: string, pen: Pen): unknown {
  const [only] = parts;
  const asText = pen.same ? pen.spelled(node, 'content') !== 'list' : only?.kind === 'text' && !only.openai;
  if (parts.length === 1 && only?.kind === 'text' && asText) return only.text;
  return parts.length === 0 ? null : parts.map((part) => writePart(part, role, pen));
}

export function writePart(part: ContentPart, role: string, pen: Pen): unknown {
  switch (part.kind) {
    case 'text': {
      const type = pen.spelled(part, 'type') ?? (role === 'assistant' ? 'output_text' : 'input_text');
      return pen.give({ type, text: part.text, ...part.openai }, part);
    }
    case 'refusal':
      return pen.give({ type: 'refusal', refusal: part.text }, part);
    case 'unknown':
      return part.value;
    case 'image': {
      const detail = part.detail ?? (pen.same ? null : 'auto');
      return pen.give(
        { type: 'input_image', ...where(part, 'image_url', 'image_url'), detail, ...part.openai },
        part,
      );
    }
    default:
      return pen.give(
        {
          type: 'input_file',
          ...where(part, 'file_url', 'file_data'),
          filename: part.name ?? ('data' in part.source && !pen.same ? 'file' : null),
          detail: part.detail,
          ...part.openai,
        },
        part,
      );
  }
}

function where(part: MediaPart, url: string, data: string): JsonObject {
  if ('id' in part.source) return { file_id: part.source.id };
  return { ['url' in part.source ? url : data]: asString(writeUrl(part)) };
}
