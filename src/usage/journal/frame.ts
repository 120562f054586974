import { crc32 } from 'node:zlib';

/** `open`: a call goes to a provider. `close`: its finished span. */
export type FrameKind = 'open' | 'close';

export interface Frame {
  kind: FrameKind;
  /** The span's id in hex: it ties a close to its open. */
  spanId: string;
  payload: Buffer;
}

/** Length of the payload, CRC-32 of all that follows it, kind, span id. */
const headerBytes = 4 + 4 + 1 + 8;
/** No record is this large: a length beyond it is damage. */
const maxPayloadBytes = 16 * 1024 * 1024;
export const maxFrameBytes = headerBytes + maxPayloadBytes;

/** Throws a RangeError when the payload is too large to be read again. */
export function encodeFrame({ kind, spanId, payload }: Frame): Buffer {
  if (payload.length > maxPayloadBytes) throw new RangeError(`a line of ${payload.length} bytes`);
  const frame = Buffer.allocUnsafe(headerBytes + payload.length);
  frame.writeUInt32LE(payload.length, 0);
  frame.writeUInt8(kind === 'open' ? 1 : 2, 8);
  frame.write(spanId, 9, 8, 'hex');
  payload.copy(frame, headerBytes);
  frame.writeUInt32LE(crc32(frame.subarray(8)), 4);
  return frame;
}

/**
 * The frames at the start of `bytes`, up to the first that is not whole or damaged, and how many bytes
 * they take. `damaged` tells the two apart: a torn tail is the ordinary end of a process that died.
 */
export function decodeFrames(bytes: Buffer): { frames: Frame[]; bytes: number; damaged: boolean } {
  const frames: Frame[] = [];
  let at = 0;
  while (at + headerBytes <= bytes.length) {
    const length = bytes.readUInt32LE(at);
    const kind = bytes.readUInt8(at + 8);
    if (length > maxPayloadBytes || kind < 1 || kind > 2) return { frames, bytes: at, damaged: true };
    const end = at + headerBytes + length;
    if (end > bytes.length) break;
    if (crc32(bytes.subarray(at + 8, end)) !== bytes.readUInt32LE(at + 4))
      return { frames, bytes: at, damaged: true };
    frames.push({
      kind: kind === 1 ? 'open' : 'close',
      spanId: bytes.toString('hex', at + 9, at + 17),
      payload: bytes.subarray(at + headerBytes, end),
    });
    at = end;
  }
  return { frames, bytes: at, damaged: false };
}
