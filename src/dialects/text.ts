/** So much of a text is held on to; what is beyond is counted by its length. */
const maxHeldChars = 16 * 1024;
/** Many small strings take more memory than one large. */
const pieceChars = 1024;

/** Longer texts without a space at their beginning are data: base64 of an image, a file, a sound. */
const maxWordChars = 1_000;

export function isData(text: string): boolean {
  return text.length > maxWordChars && !/\s/.test(text.slice(0, maxWordChars));
}

/** Longer than any name or id that there is reason to send. */
export const maxNameChars = 512;

/** A name or an id from outside, of a length that can be stored, looked up and logged. */
export function shortName(text: string | null): string | null {
  return text === null || text.length <= maxNameChars ? text : text.slice(0, maxNameChars).toWellFormed();
}

/** What a caller could read of a reply: its beginning, and the length of all of it. */
export interface SeenText {
  texts: string[];
  /** Characters, of the texts and of what came after them. */
  chars: number;
}

export const noText: SeenText = { texts: [], chars: 0 };

/** Text as it comes, in bounded memory. */
export class BoundedText {
  readonly #pieces: string[] = [];
  #open: string[] = [];
  #openChars = 0;
  #held = 0;
  #chars = 0;

  add(...texts: unknown[]): void {
    for (const text of texts) {
      if (typeof text !== 'string') continue;
      this.#chars += text.length;
      const kept = text.slice(0, maxHeldChars - this.#held);
      if (kept === '') continue;
      this.#held += kept.length;
      this.#openChars += kept.length;
      this.#open.push(kept);
      if (this.#openChars >= pieceChars) this.#close();
    }
  }

  #close(): void {
    this.#pieces.push(this.#open.join(''));
    this.#open = [];
    this.#openChars = 0;
  }

  seen(): SeenText {
    if (this.#openChars > 0) this.#close();
    return { texts: this.#pieces, chars: this.#chars };
  }
}

/** The texts of a reply that is there as a whole. */
export function wholeText(texts: string[]): SeenText {
  return { texts, chars: texts.reduce((sum, text) => sum + text.length, 0) };
}

/** The texts that are there and not empty. */
export function present(...texts: unknown[]): string[] {
  return texts.filter((text): text is string => typeof text === 'string' && text !== '');
}
