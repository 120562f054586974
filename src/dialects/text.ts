/** Beyond this much text the count is an estimate from its length: 256 KiB. */
const maxTextChars = 256 * 1024;

/** Text in few large pieces instead of many small ones; what is beyond the bound is left out. */
export class BoundedText {
  readonly #pieces: string[] = [];
  #open: string[] = [];
  #openChars = 0;
  #chars = 0;

  add(...texts: unknown[]): void {
    for (const text of texts) {
      if (typeof text !== 'string' || this.#chars >= maxTextChars) continue;
      this.#chars += text.length;
      this.#openChars += text.length;
      this.#open.push(text);
      if (this.#openChars >= 4096) this.#close();
    }
  }

  #close(): void {
    this.#pieces.push(this.#open.join(''));
    this.#open = [];
    this.#openChars = 0;
  }

  parts(): string[] {
    if (this.#openChars > 0) this.#close();
    return this.#pieces;
  }
}

/** The texts that are there and not empty. */
export function present(...texts: unknown[]): string[] {
  return texts.filter((text): text is string => typeof text === 'string' && text !== '');
}
