const slabBytes = 16 * 1024;

/** Bytes that come in pieces, held in memory of their own, in few large parts. */
export class ByteStore {
  readonly #slabs: Buffer[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Bytes of memory that it takes. */
  get capacity(): number {
    return this.#slabs.length * slabBytes;
  }

  /** By how much the capacity grows when so many bytes are appended. */
  growth(bytes: number): number {
    return Math.ceil(Math.max(0, this.#length + bytes - this.capacity) / slabBytes) * slabBytes;
  }

  append(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const used = this.#length % slabBytes;
      if (used === 0) this.#slabs.push(Buffer.allocUnsafeSlow(slabBytes));
      const part = bytes.subarray(at, at + slabBytes - used);
      this.#slabs.at(-1)?.set(part, used);
      this.#length += part.length;
      at += part.length;
    }
  }

  /** A view where it can be, else a copy. */
  slice(from: number, to: number): Buffer {
    const parts: Buffer[] = [];
    for (let at = from; at < to; ) {
      const start = at % slabBytes;
      const slab = this.#slabs[(at - start) / slabBytes]?.subarray(start, start + to - at);
      if (!slab) break;
      parts.push(slab);
      at += slab.length;
    }
    const [only] = parts;
    return parts.length === 1 && only ? only : Buffer.concat(parts);
  }
}
