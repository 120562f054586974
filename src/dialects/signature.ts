import { type SpokenName, spokenNames } from '../config/dialects.ts';
import type { Signature } from './neutral.ts';

/**
 * Signatures of thinking go through the hands of a client that speaks another dialect, in the place where
 * that dialect has its own: with whose they are before them. `~` marks sealed thinking.
 */
const mark = 'weir:';
/** As far as it does not depend on what follows. */
const markInBase64 = Buffer.from(mark).toString('base64').slice(0, 6);

/** Of thinking that its provider does not want to see again. */
export const unsigned = (origin: SpokenName): Signature => ({ origin, value: '', sealed: false });

export function tagged({ origin, value, sealed }: Signature, dialect: SpokenName): string {
  if (origin === dialect) return value;
  const text = `${mark}${origin}:${sealed ? '~' : ''}${value}`;
  // Google's are bytes: its SDKs decode them.
  return dialect === 'gemini-generate' ? Buffer.from(text).toString('base64') : text;
}

/** `dialect`: whose a signature without a mark is. */
export function readSignature(given: string, dialect: SpokenName, sealed: boolean): Signature {
  const text = given.startsWith(markInBase64) ? Buffer.from(given, 'base64').toString('utf8') : given;
  if (!text.startsWith(mark)) return { origin: dialect, value: given, sealed };
  const end = text.indexOf(':', mark.length);
  const origin = spokenNames.find((name) => name === text.slice(mark.length, end));
  if (!origin) return { origin: dialect, value: given, sealed };
  const rest = text.slice(end + 1);
  return rest.startsWith('~')
    ? { origin, value: rest.slice(1), sealed: true }
    : { origin, value: rest, sealed: false };
}
