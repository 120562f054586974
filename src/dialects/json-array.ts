import { StringDecoder } from 'node:string_decoder';

/** An element that is larger is passed over: 4 Mi characters. */
const maxElementChars = 4 * 1024 * 1024;

/** Takes a JSON array apart as it comes; bytes may be split anywhere. Holds no more than one element. */
export class JsonArrayParser {
  readonly #decoder = new StringDecoder('utf8');
  #parts: string[] = [];
  #chars = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;

  /** The texts of the objects that this chunk completes. */
  push(chunk: Uint8Array): string[] {
    const text = this.#decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    const elements: string[] = [];
    // Depth 1 is the array, an element begins at depth 2.
    let start = this.#depth >= 2 ? 0 : -1;
    for (let at = 0; at < text.length; at++) {
      const char = text[at];
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (char === '\\') this.#escaped = true;
        else if (char === '"') this.#inString = false;
      } else if (char === '"') this.#inString = true;
      else if (char === '{' || char === '[') {
        this.#depth++;
        if (this.#depth === 2) start = at;
      } else if (char === '}' || char === ']') {
        this.#depth--;
        if (this.#depth === 1) {
          this.#keep(text.slice(start, at + 1));
          if (this.#chars <= maxElementChars) elements.push(this.#parts.join(''));
          this.#parts = [];
          this.#chars = 0;
          start = -1;
        }
      }
    }
    if (start >= 0) this.#keep(text.slice(start));
    return elements;
  }

  #keep(text: string): void {
    this.#chars += text.length;
    if (this.#chars <= maxElementChars) this.#parts.push(text);
    else this.#parts = [];
  }
}
