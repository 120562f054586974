import type { MediaPart } from './neutral.ts';

/** `data:image/png;base64,iVBOR…` in its parts; null: it is no such URL, or carries other parameters. */
export function parseDataUrl(url: string): { mediaType: string; data: string } | null {
  if (!url.startsWith('data:')) return null;
  const comma = url.indexOf(',');
  const [, mediaType] = /^data:([^;,]+);base64$/.exec(url.slice(0, comma)) ?? [];
  return mediaType === undefined ? null : { mediaType, data: url.slice(comma + 1) };
}

/** Where the bytes of an image or a file are: a data URL that can be parsed is data, every other one a URL. */
export function readUrl(url: string): Pick<MediaPart, 'mediaType' | 'source'> {
  const parsed = parseDataUrl(url);
  return parsed
    ? { mediaType: parsed.mediaType, source: { data: parsed.data } }
    : { mediaType: null, source: { url } };
}

export function writeUrl({ mediaType, source }: Pick<MediaPart, 'mediaType' | 'source'>): string | null {
  if ('url' in source) return source.url;
  return 'data' in source ? `data:${mediaType ?? 'application/octet-stream'};base64,${source.data}` : null;
}

const endings: Record<string, string> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  pdf: 'application/pdf',
  txt: 'text/plain',
};

/** What the ending of a URL's path tells; null: nothing. */
export function mediaTypeOf(url: string): string | null {
  const [, ending] = /\.([a-z0-9]+)(?:[?#].*)?$/i.exec(url) ?? [];
  return endings[ending?.toLowerCase() ?? ''] ?? null;
}
