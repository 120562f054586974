/**
 * A copy in memory of its own. Small buffers are else cut from a pool of Node's, and one that is kept
 * holds all of its neighbours.
 */
export function ownCopy(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
