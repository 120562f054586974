import { HeldBytes } from './held-bytes.ts';

/** A message that is larger is passed over: 4 MiB. */
const maxMessageBytes = 4 * 1024 * 1024;
const preludeBytes = 12;
const checksumBytes = 4;

/** One message of `application/vnd.amazon.eventstream`. */
export interface AwsEvent {
  /** `:message-type`: event or exception. */
  kind: string;
  /** `:event-type`, or `:exception-type`. */
  type: string;
  payload: Buffer;
}

/**
 * Takes an AWS event stream apart: frames of total length, header length, checksum, headers, payload,
 * checksum (docs.aws.amazon.com, "Event stream encoding"). Checksums are the caller's to check: this
 * only watches. A stream that makes no sense ends the reading, never the call.
 */
export class AwsEventParser {
  readonly #held = new HeldBytes();
  /** So many bytes must be held before there is something to read. */
  #needed = preludeBytes;
  #skip = 0;
  #broken = false;
  /** Messages that were too large. */
  passedOver = 0;

  /** The messages that this chunk completes; bytes may be split anywhere. */
  push(chunk: Uint8Array): AwsEvent[] {
    if (this.#broken) return [];
    let bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const skipped = Math.min(this.#skip, bytes.length);
    this.#skip -= skipped;
    bytes = bytes.subarray(skipped);
    if (this.#held.length > 0) {
      this.#held.append(bytes);
      if (this.#held.length < this.#needed) return [];
      bytes = this.#held.take();
    }
    this.#needed = preludeBytes;
    const events: AwsEvent[] = [];
    let at = 0;
    while (bytes.length - at >= preludeBytes) {
      const total = bytes.readUInt32BE(at);
      const headers = bytes.readUInt32BE(at + 4);
      if (total < preludeBytes + headers + checksumBytes) {
        this.#broken = true;
        return events;
      }
      if (total > maxMessageBytes) {
        this.passedOver++;
        const here = Math.min(total, bytes.length - at);
        this.#skip = total - here;
        at += here;
        continue;
      }
      this.#needed = total;
      if (bytes.length - at < total) break;
      this.#needed = preludeBytes;
      events.push(readMessage(bytes.subarray(at, at + total), headers));
      at += total;
    }
    this.#held.append(bytes.subarray(at));
    return events;
  }
}

function readMessage(message: Buffer, headerBytes: number): AwsEvent {
  const payloadStart = preludeBytes + headerBytes;
  const headers = readHeaders(message.subarray(preludeBytes, payloadStart));
  return {
    kind: headers.get(':message-type') ?? '',
    type: headers.get(':event-type') ?? headers.get(':exception-type') ?? headers.get(':error-code') ?? '',
    payload: message.subarray(payloadStart, message.length - checksumBytes),
  };
}

/** Sizes of header values by their type byte; 6 and 7 say their own length. */
const fixedSizes: Record<number, number> = { 0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16 };

/** The headers that are text. */
function readHeaders(bytes: Buffer): Map<string, string> {
  const headers = new Map<string, string>();
  for (let at = 0; at < bytes.length; ) {
    const nameEnd = at + 1 + bytes.readUInt8(at);
    if (nameEnd + 1 > bytes.length) break;
    const name = bytes.toString('utf8', at + 1, nameEnd);
    const type = bytes.readUInt8(nameEnd);
    const fixed = fixedSizes[type];
    if (fixed === undefined && nameEnd + 3 > bytes.length) break;
    const start = nameEnd + (fixed === undefined ? 3 : 1);
    const end = start + (fixed ?? bytes.readUInt16BE(nameEnd + 1));
    if (type === 7) headers.set(name, bytes.toString('utf8', start, end));
    at = end;
  }
  return headers;
}
