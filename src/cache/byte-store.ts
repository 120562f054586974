const slabBytes = 16 * 1024;

/** Bytes that come in pieces, held in memory of their own, in few large parts. */
export class ByteStore {
  #full: Buffer[] = [];
  #open: Buffer = Buffer.alloc(0);
  #used = 0;

  append(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#used === this.#open.length) this.#grow();
      const part = bytes.subarray(at, at + this.#open.length - this.#used);
      this.#open.set(part, this.#used);
      this.#used += part.length;
      at += part.length;
    }
  }

  #grow(): void {
    if (this.#used > 0) this.#full.push(this.#open);
    this.#open = Buffer.allocUnsafeSlow(slabBytes);
    this.#used = 0;
  }

  bytes(): Buffer {
    return Buffer.concat([...this.#full, this.#open.subarray(0, this.#used)]);
  }
}
