import { ownCopy } from './own-copy.ts';

/** One server-sent event. */
export interface ServerSentEvent {
  /** The `event:` field; empty when there was none. */
  type: string;
  /** The `data:` lines, joined by newlines. */
  data: string;
}

/** An event larger than this is passed over: 4 MiB. */
const maxEventBytes = 4 * 1024 * 1024;

const CR = 13;
const LF = 10;

/**
 * Takes a stream of server-sent events apart (WHATWG HTML, "Server-sent events"): bytes may be split
 * anywhere, also inside a character or between CR and LF. Holds no more than one event.
 */
export class SseParser {
  #line: Buffer[] = [];
  #lineBytes = 0;
  #afterCr = false;
  #first = true;
  #type = '';
  #data: string[] = [];
  #dataBytes = 0;
  #tooLarge = false;
  /** Events that were too large. */
  passedOver = 0;

  /** The events that this chunk completes. */
  push(chunk: Uint8Array): ServerSentEvent[] {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const events: ServerSentEvent[] = [];
    let start = 0;
    if (this.#afterCr && bytes.length > 0) {
      if (bytes[0] === LF) start = 1;
      this.#afterCr = false;
    }
    for (let at = start; at < bytes.length; at++) {
      const byte = bytes[at];
      if (byte !== LF && byte !== CR) continue;
      this.#keep(bytes.subarray(start, at));
      const event = this.#endLine();
      if (event) events.push(event);
      if (byte === CR) {
        if (at + 1 === bytes.length) this.#afterCr = true;
        else if (bytes[at + 1] === LF) at++;
      }
      start = at + 1;
    }
    // The chunk's memory belongs to the caller.
    if (start < bytes.length) this.#keep(ownCopy(bytes.subarray(start)));
    return events;
  }

  #keep(part: Buffer): void {
    this.#lineBytes += part.length;
    if (this.#lineBytes + this.#dataBytes > maxEventBytes) {
      if (!this.#tooLarge) this.passedOver++;
      this.#tooLarge = true;
      this.#line = [];
      this.#data = [];
    } else if (part.length > 0) {
      this.#line.push(part);
    }
  }

  #endLine(): ServerSentEvent | null {
    const [only] = this.#line;
    let line =
      this.#line.length === 1 && only ? only.toString('utf8') : Buffer.concat(this.#line).toString('utf8');
    const empty = this.#lineBytes === 0;
    this.#line = [];
    this.#lineBytes = 0;
    if (this.#first) {
      this.#first = false;
      line = line.replace(/^\uFEFF/, '');
    }
    if (empty) return this.#endEvent();
    if (this.#tooLarge) return null;
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'data') {
      this.#data.push(value);
      this.#dataBytes += value.length;
    } else if (field === 'event') {
      this.#type = value;
    }
    return null;
  }

  #endEvent(): ServerSentEvent | null {
    const event =
      !this.#tooLarge && this.#data.length > 0 ? { type: this.#type, data: this.#data.join('\n') } : null;
    this.#type = '';
    this.#data = [];
    this.#dataBytes = 0;
    this.#tooLarge = false;
    return event;
  }
}
