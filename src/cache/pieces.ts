/** Bytes and where they are cut: far less memory than a Buffer a piece. */
export interface Pieces {
  whole: Buffer;
  lengths: Uint32Array;
}

export function joinPieces(pieces: readonly Buffer[]): Pieces {
  const [only] = pieces;
  return {
    whole: pieces.length === 1 && only ? only : Buffer.concat(pieces),
    lengths: Uint32Array.from(pieces, ({ length }) => length),
  };
}

/** The pieces as views of the whole. */
export function cutPieces({ whole, lengths }: { whole: Buffer; lengths: Iterable<number> }): Buffer[] {
  const pieces: Buffer[] = [];
  let at = 0;
  for (const length of lengths) {
    pieces.push(whole.subarray(at, at + length));
    at += length;
  }
  return pieces;
}

export function sizeOf(pieces: readonly Buffer[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}
