import { LRUCache } from 'lru-cache';

/** Characters of slices whose tokens are remembered: conversations send again what they began with. */
const rememberedChars = 2 * 1024 * 1024;
/** Tokenizers take quadratic time on long runs: slices bound it. */
const sliceChars = 1024;
/** Of a run without any place to cut, which is cut anywhere. */
const forcedChars = 256;

/** Counts tokens by tiktoken (cl100k_base, the encoding of the models that the base rules were made for). */
export interface Tokens {
  /** The tokens of all texts, exact below `limit`; counting stops as soon as it is reached. */
  upTo(texts: readonly string[], limit: number): number;
  free(): void;
}

/** Loading blocks for some hundred milliseconds: at start, never on a call's way. */
export async function createTokens(): Promise<Tokens> {
  const { get_encoding } = await import('tiktoken');
  const encoder = get_encoding('cl100k_base');
  const counted = new LRUCache<string, number>({
    maxSize: rememberedChars,
    sizeCalculation: (_tokens, slice) => slice.length,
  });
  /** Ordinary: `<|endoftext|>` in a prompt is text. */
  function count(slice: string): number {
    let tokens = counted.get(slice);
    if (tokens === undefined) {
      tokens = encoder.encode_ordinary(slice).length;
      counted.set(slice, tokens);
    }
    return tokens;
  }
  return {
    upTo(texts, limit) {
      let tokens = 0;
      for (const text of texts) {
        for (const slice of safeSlices(text)) {
          if (tokens >= limit) return tokens;
          tokens += count(slice);
        }
      }
      return tokens;
    },
    free: () => encoder.free(),
  };
}

/**
 * Whether texts have so many words that they have so many tokens in any case: no piece of cl100k_base's pattern
 * has two runs of letters. Far cheaper than counting.
 */
export function hasWords(texts: readonly string[], limit: number): boolean {
  let words = 0;
  for (const text of texts) {
    let before = 32;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (isAsciiLetter(code) && before < 128 && !isAsciiLetter(before) && ++words >= limit) return true;
      before = code;
    }
  }
  return false;
}

/**
 * Slices that have together as many tokens as the whole: cut before a character that stands between two
 * letters and is none itself nor a digit or the end of a line. There cl100k_base's pattern begins a new piece in any case.
 */
export function* safeSlices(text: string): Generator<string> {
  for (let at = 0; at < text.length; ) {
    const end = cutBefore(text, at, Math.min(at + sliceChars, text.length));
    yield text.slice(at, end);
    at = end;
  }
}

function cutBefore(text: string, start: number, limit: number): number {
  if (limit === text.length) return limit;
  for (let at = limit; at > start + 1; at--) {
    if (isLetter(text, at - 1) && isJoint(text, at) && isLetter(text, at + 1)) return at;
  }
  const forced = Math.min(start + forcedChars, limit);
  const last = text.charCodeAt(forced - 1);
  return last >= 0xd800 && last <= 0xdbff ? forced - 1 : forced;
}

const letter = /^\p{L}$/u;
function isLetter(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code < 128 ? isAsciiLetter(code) : letter.test(text[at] ?? '');
}

function isAsciiLetter(code: number): boolean {
  const lower = code | 32;
  return code < 128 && lower >= 97 && lower <= 122;
}

/** Spaces and punctuation of ASCII, ends of lines left out. */
function isJoint(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 32 && code < 127 && !(code >= 48 && code <= 57) && !isLetter(text, at);
}
