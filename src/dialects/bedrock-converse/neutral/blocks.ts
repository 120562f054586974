import { callId } from '../../ids.ts';
import { asArray, asObject, asString, type JsonObject } from '../../json.ts';
import type { MediaPart, Part } from '../../neutral.ts';
import { tagged } from '../../signature.ts';
import { argsValue } from '../../turns.ts';

/** Converse's names of what it takes as bytes (docs.aws.amazon.com, ImageBlock, DocumentBlock and VideoBlock). */
const formats: Record<'image' | 'document' | 'video', Record<string, string>> = {
  image: { 'image/png': 'png', 'image/jpeg': 'jpeg', 'image/gif': 'gif', 'image/webp': 'webp' },
  document: {
    'application/pdf': 'pdf',
    'text/csv': 'csv',
    'application/msword': 'doc',
    'application/vnd.openxmlformats-officedocument.wordprocessingml.document': 'docx',
    'application/vnd.ms-excel': 'xls',
    'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': 'xlsx',
    'text/html': 'html',
    'text/plain': 'txt',
    'text/markdown': 'md',
  },
  video: {
    'video/x-matroska': 'mkv',
    'video/quicktime': 'mov',
    'video/mp4': 'mp4',
    'video/webm': 'webm',
    'video/x-flv': 'flv',
    'video/mpeg': 'mpeg',
    'video/x-ms-wmv': 'wmv',
    'video/3gpp': 'three_gp',
  },
};

/** In which block a file stands, and its format there; null: Converse does not take it. */
export function formatOf(
  kind: MediaPart['kind'],
  mediaType: string | null,
): { block: keyof typeof formats; format: string } | null {
  const block = kind === 'image' ? 'image' : mediaType?.startsWith('video/') ? 'video' : 'document';
  const format = formats[block][mediaType ?? ''];
  return format === undefined ? null : { block, format };
}

/** Names documents: each must have a name of its own in a request, of letters, digits, spaces, `-`, `()` and `[]`. */
export function documentNamer(): (name: string | null) => string {
  const taken = new Set<string>();
  return (name) => {
    const plain =
      (name ?? '')
        .replaceAll(/[^\p{L}\p{N}()[\]-]+/gu, ' ')
        .trim()
        .slice(0, 180) || 'Document';
    let unique = plain;
    for (let count = 2; taken.has(unique); count++) unique = `${plain} ${count}`;
    taken.add(unique);
    return unique;
  };
}

type Namer = ReturnType<typeof documentNamer>;

/** The blocks of a part; none where there is nothing to say, which Converse refuses. */
export function writeBlocks(part: Part, nameOf: Namer): JsonObject[] {
  switch (part.kind) {
    case 'text':
    case 'refusal':
      return part.text.trim() === '' ? [] : [{ text: part.text }];
    case 'thinking': {
      const { signature, text } = part;
      const value = tagged(signature, 'bedrock-converse');
      if (signature.sealed) return [{ reasoningContent: { redactedContent: value } }];
      return [{ reasoningContent: { reasoningText: { text, ...(value !== '' && { signature: value }) } } }];
    }
    case 'call': {
      const { id, name, args } = part;
      return [{ toolUse: { toolUseId: callId(id, 'bedrock-converse'), name, input: argsValue(args) } }];
    }
    case 'result': {
      const status = part.isError === null ? {} : { status: part.isError ? 'error' : 'success' };
      const content = part.parts.flatMap((each) => writeBlocks(each, nameOf));
      return [{ toolResult: { toolUseId: callId(part.id, 'bedrock-converse'), content, ...status } }];
    }
    case 'unknown':
      return [];
    default:
      return writeMedia(part, nameOf);
  }
}

function writeMedia({ kind, mediaType, source, name }: MediaPart, nameOf: Namer): JsonObject[] {
  const found = formatOf(kind, mediaType);
  if (!found || !('data' in source)) return [];
  const { block, format } = found;
  const named = block === 'document' ? { name: nameOf(name) } : {};
  return [{ [block]: { format, ...named, source: { bytes: source.data } } }];
}

/** A block of a reply. Blocks of tools that run at the provider are left out: no request that is translated has them. */
export function readBlocks(value: unknown): Part[] {
  const block = asObject(value);
  const call = asObject(block?.toolUse);
  const thought = asObject(block?.reasoningContent);
  const text = asString(block?.text);
  if (text !== null) return [{ kind: 'text', text }];
  if (call)
    return [
      {
        kind: 'call',
        id: asString(call.toolUseId) ?? '',
        name: asString(call.name) ?? '',
        args: call.input ?? {},
      },
    ];
  if (thought) return [readThought(thought)];
  const cited = asArray(asObject(block?.citationsContent)?.content);
  return cited.flatMap(readBlocks);
}

function readThought({ reasoningText, redactedContent }: JsonObject): Part {
  const told = asObject(reasoningText);
  const origin = 'bedrock-converse';
  const sealed = asString(redactedContent);
  return {
    kind: 'thinking',
    text: asString(told?.text) ?? '',
    signature:
      sealed === null
        ? { origin, value: asString(told?.signature) ?? '', sealed: false }
        : { origin, value: sealed, sealed: true },
  };
}
