/** Buckets that n-grams of characters fall into. */
const bucketBits = 15;
export const buckets = 2 ** bucketBits;
const shortest = 2;
const longest = 5;
const space = 32;
const seed = 0x811c9dc5;
const prime = 0x01000193;

/** The text as it is cut into n-grams: in lower case, with one space around each word. */
function normal(text: string): string {
  return ` ${text.toLowerCase().trim().replace(/\s+/g, ' ')} `;
}

/**
 * Calls `see` with the bucket of each n-gram of 2 to 5 characters that has a space at most at its ends, and
 * with the word it lies in. FNV-1a over characters, folded.
 */
export function eachBucket(text: string, see: (bucket: number, word: string) => void): void {
  let start = 0;
  for (const word of normal(text).trim().split(' ')) {
    const padded = ` ${word} `;
    for (start = 0; start < padded.length; start++) {
      let hash = seed;
      for (let at = start; at < Math.min(start + longest, padded.length); at++) {
        hash = Math.imul(hash ^ padded.charCodeAt(at), prime);
        if (at - start + 1 >= shortest) see(((hash >>> bucketBits) ^ hash) & (buckets - 1), word);
      }
    }
  }
}

const stamps = new Uint32Array(buckets);
const found = new Uint16Array(buckets);
let stamp = 0;

/** The distinct buckets of a text, in a loop that makes no garbage. The array is the next call's as well: copy it to keep it. */
export function distinctBuckets(text: string): Uint16Array {
  const chars = normal(text);
  let count = 0;
  stamp++;
  for (let start = 0; start < chars.length - 1; start++) {
    let hash = seed;
    const end = Math.min(start + longest, chars.length);
    for (let at = start; at < end; at++) {
      const code = chars.charCodeAt(at);
      hash = Math.imul(hash ^ code, prime);
      if (at > start) {
        const bucket = ((hash >>> bucketBits) ^ hash) & (buckets - 1);
        if (stamps[bucket] !== stamp) {
          stamps[bucket] = stamp;
          found[count++] = bucket;
        }
        // The space that ends a word ends what begins in it.
        if (code === space) break;
      }
    }
  }
  return found.subarray(0, count);
}
