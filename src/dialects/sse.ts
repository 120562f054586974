import { HeldBytes } from './held-bytes.ts';

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
  /** The beginning of a line whose end has not come. */
  readonly #line = new HeldBytes();
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
      const event = this.#endLine(bytes.subarray(start, at));
      if (event) events.push(event);
      if (byte === CR) {
        if (at + 1 === bytes.length) this.#afterCr = true;
        else if (bytes[at + 1] === LF) at++;
      }
      start = at + 1;
    }
    const rest = bytes.subarray(start);
    if (this.#fits(rest)) this.#line.append(rest);
    return events;
  }

  /** Counts a part of a line; false: the event has become too large. */
  #fits(part: Buffer): boolean {
    this.#lineBytes += part.length;
    if (this.#lineBytes + this.#dataBytes <= maxEventBytes) return !this.#tooLarge;
    if (!this.#tooLarge) this.passedOver++;
    this.#tooLarge = true;
    this.#line.take();
    this.#data = [];
    return false;
  }

  #endLine(part: Buffer): ServerSentEvent | null {
    const fits = this.#fits(part);
    const empty = this.#lineBytes === 0;
    this.#lineBytes = 0;
    let line = '';
    if (fits && this.#line.length === 0) line = part.toString('utf8');
    else if (fits) {
      this.#line.append(part);
      line = this.#line.take().toString('utf8');
    }
    if (this.#first) {
      this.#first = false;
      line = line.replace(/^\uFEFF/, '');
    }
    if (empty) return this.#endEvent();
    if (!fits) return null;
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
