import { asObject } from '../../json.ts';
import { parseDataUrl, readUrl, writeUrl } from '../../media.ts';
import type { ContentPart, MediaPart } from '../../neutral.ts';
import { partMembers, readOpenaiMembers } from '../../openai/neutral.ts';
import { Members, type Own, type Pen } from '../../own.ts';

/** The content of a message: a text, or a list of parts. */
export function readContent(m: Members): ContentPart[] {
  const text = m.string('content');
  if (text !== null) return [{ kind: 'text', text }];
  const list = m.list('content');
  if (!list) return [];
  m.spell('content', 'list');
  return list.map(readPart);
}

function readPart(value: unknown): ContentPart {
  const unknown = { kind: 'unknown', at: 'content', value } as const;
  const object = asObject(value);
  if (!object) return unknown;
  const m = new Members(object);
  switch (m.word('type', ['text', 'refusal', 'image_url', 'input_audio', 'file'])) {
    case 'text': {
      const text = m.string('text');
      return text === null
        ? unknown
        : { kind: 'text', text, ...readOpenaiMembers(m, partMembers), ...m.own() };
    }
    case 'refusal': {
      const text = m.string('refusal');
      return text === null ? unknown : { kind: 'refusal', text, ...m.own() };
    }
    case 'image_url': {
      const image = m.within('image_url');
      const url = image?.string('url');
      if (!image || typeof url !== 'string') return unknown;
      return media('image', readUrl(url), { name: null, detail: image.string('detail') }, m);
    }
    case 'input_audio': {
      const audio = m.within('input_audio');
      const [data, format] = [audio?.string('data'), audio?.string('format')];
      if (typeof data !== 'string' || typeof format !== 'string') return unknown;
      return media(
        'audio',
        { mediaType: `audio/${format}`, source: { data } },
        { name: null, detail: null },
        m,
      );
    }
    case 'file':
      return readFile(m) ?? unknown;
    default:
      return unknown;
  }
}

function readFile(m: Members): MediaPart | null {
  const file = m.within('file');
  const name = file?.string('filename') ?? null;
  const id = file?.string('file_id');
  if (typeof id === 'string')
    return media('file', { mediaType: null, source: { id } }, { name, detail: null }, m);
  const parsed = parseDataUrl(file?.string('file_data') ?? '');
  if (!parsed) return null;
  const { mediaType, data } = parsed;
  return media('file', { mediaType, source: { data } }, { name, detail: null }, m);
}

function media(
  kind: MediaPart['kind'],
  where: Pick<MediaPart, 'mediaType' | 'source'>,
  more: Pick<MediaPart, 'name' | 'detail'>,
  m: Members,
): MediaPart {
  return { kind, ...where, ...more, ...readOpenaiMembers(m, partMembers), ...m.own() };
}

/** `mp3`, `wav`; null: Chat takes no such sound. */
export function formatOf(mediaType: string | null): string | null {
  const [, name = ''] = /^audio\/(?:x-)?(\w+)$/.exec(mediaType ?? '') ?? [];
  return { mp3: 'mp3', mpeg: 'mp3', wav: 'wav', wave: 'wav' }[name] ?? null;
}

/** A single text is written as one, everything else as a list. */
export function writeContent(parts: ContentPart[], turn: { own?: Own }, pen: Pen): unknown {
  const [only] = parts;
  const asText = pen.same ? pen.spelled(turn, 'content') !== 'list' : only?.kind !== 'text' || !only.openai;
  if (parts.length === 1 && only?.kind === 'text' && asText) return only.text;
  return parts.length === 0 ? null : parts.map((part) => writePart(part, pen));
}

function writePart(part: ContentPart, pen: Pen): unknown {
  switch (part.kind) {
    case 'text':
      return pen.give({ type: 'text', text: part.text, ...part.openai }, part);
    case 'refusal':
      return pen.give({ type: 'refusal', refusal: part.text }, part);
    case 'image':
      return pen.give(
        {
          type: 'image_url',
          image_url: { url: writeUrl(part), ...(part.detail !== null && { detail: part.detail }) },
          ...part.openai,
        },
        part,
      );
    case 'audio': {
      const data = 'data' in part.source ? part.source.data : '';
      return pen.give(
        {
          type: 'input_audio',
          input_audio: {
            data,
            format: pen.same ? part.mediaType?.slice('audio/'.length) : formatOf(part.mediaType),
          },
          ...part.openai,
        },
        part,
      );
    }
    case 'file': {
      const at = 'id' in part.source ? { file_id: part.source.id } : { file_data: writeUrl(part) };
      return pen.give(
        { type: 'file', file: { ...at, ...(part.name !== null && { filename: part.name }) }, ...part.openai },
        part,
      );
    }
    case 'unknown':
      return part.value;
  }
}
