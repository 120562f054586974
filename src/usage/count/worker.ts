import { get_encoding, type Tiktoken } from 'tiktoken';

export interface CountTask {
  encoding: 'o200k_base' | 'cl100k_base';
  texts: string[];
}

/** Tokenizers take quadratic time on long runs of one character: slices bound it, at 0.25 % more tokens. */
const sliceChars = 1024;

const encodings = new Map<CountTask['encoding'], Tiktoken>();

export default function count({ encoding, texts }: CountTask): number {
  let encoder = encodings.get(encoding);
  if (!encoder) {
    encoder = get_encoding(encoding);
    encodings.set(encoding, encoder);
  }
  let tokens = 0;
  for (const text of texts) {
    // Ordinary: `<|endoftext|>` in a prompt is text.
    for (const slice of slices(text)) tokens += encoder.encode_ordinary(slice).length;
  }
  return tokens;
}

/** At most so many characters each, never cut between the halves of a surrogate pair. */
export function* slices(text: string): Generator<string> {
  for (let at = 0; at < text.length; ) {
    let end = Math.min(at + sliceChars, text.length);
    const last = text.charCodeAt(end - 1);
    if (end < text.length && last >= 0xd800 && last <= 0xdbff) end--;
    yield text.slice(at, end);
    at = end;
  }
}
