const leastBytes = 256;

/**
 * Bytes that wait for the rest of what they begin, in memory of their own: what a chunk brings belongs to the
 * caller. Many small pieces cost no more than few large ones.
 */
export class HeldBytes {
  #memory: Buffer = Buffer.alloc(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  append(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    if (length > this.#memory.length) {
      // The first piece is often all there is.
      const size = this.#length === 0 ? length : Math.max(length, 2 * this.#memory.length, leastBytes);
      const larger = Buffer.allocUnsafeSlow(size);
      larger.set(this.view());
      this.#memory = larger;
    }
    this.#memory.set(bytes, this.#length);
    this.#length = length;
  }

  /** What is held, until the next change. */
  view(): Buffer {
    return this.#memory.subarray(0, this.#length);
  }

  /** What is held, which the caller may keep; then nothing is held. */
  take(): Buffer {
    const taken = this.view();
    this.#memory = Buffer.alloc(0);
    this.#length = 0;
    return taken;
  }
}
