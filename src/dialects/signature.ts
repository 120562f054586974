import type { DialectName, Signature } from './neutral.ts';
import { dialectNames } from './neutral.ts';

/**
 * Signatures of thinking go through the hands of a client that speaks another dialect, in the place where
 * that dialect has its own: with whose they are before them. `~` marks sealed thinking.
 */
const mark = 'weir:';

/** Of thinking that its provider does not want to see again. */
export const unsigned = (origin: DialectName): Signature => ({ origin, value: '', sealed: false });

export function tagged({ origin, value, sealed }: Signature, dialect: DialectName): string {
  return origin === dialect ? value : `${mark}${origin}:${sealed ? '~' : ''}${value}`;
}

/** `dialect`: whose a signature without a mark is. */
export function readSignature(text: string, dialect: DialectName, sealed: boolean): Signature {
  if (!text.startsWith(mark)) return { origin: dialect, value: text, sealed };
  const end = text.indexOf(':', mark.length);
  const origin = dialectNames.find((name) => name === text.slice(mark.length, end));
  if (!origin) return { origin: dialect, value: text, sealed };
  const rest = text.slice(end + 1);
  return rest.startsWith('~')
    ? { origin, value: rest.slice(1), sealed: true }
    : { origin, value: rest, sealed: false };
}
