import { LRUCache } from 'lru-cache';
import { ownCopy } from '../../dialects/own-copy.ts';
import type { HotTier, KeptAnswer, Place } from '../cache.ts';
import { cutPieces, joinPieces } from '../pieces.ts';

/** What an entry takes beside its bytes, and what a piece takes. */
const overheadBytes = 1536;
const pieceBytes = 4;

interface Entry {
  place: Place;
  facts: Omit<KeptAnswer, 'pieces'>;
  whole: Buffer;
  lengths: Uint32Array;
}

/** Answers in the memory of this process, at most `maxBytes`; the longest unused go first. `now`: milliseconds. */
export function createMemoryTier(options: { maxBytes: number; now: () => number }): HotTier {
  const entries = new LRUCache<string, Entry>({
    maxSize: options.maxBytes,
    sizeCalculation: ({ whole, lengths }) => overheadBytes + whole.length + pieceBytes * lengths.length,
    perf: { now: options.now },
    ttlResolution: 0,
  });
  return {
    // Nobody else claims anything here: this process knows its own flights.
    async look({ key }, { read, token }) {
      const entry = read ? entries.get(key) : undefined;
      if (!entry) return { answer: null, holder: token };
      return { answer: { ...entry.facts, pieces: cutPieces(entry) }, holder: null };
    },
    async put(place, { pieces, ...facts }, ttlMs) {
      if (ttlMs <= 0) return;
      const { whole, lengths } = joinPieces(pieces);
      // One piece is still the memory of a message.
      const own = pieces.length === 1 ? ownCopy(whole) : whole;
      entries.set(place.key, { place, facts, whole: own, lengths }, { ttl: ttlMs });
    },
    release: async () => {},
    renew: async () => {},
    purge(covers) {
      for (const [key, { place, facts }] of entries.entries()) if (covers(place, facts)) entries.delete(key);
    },
  };
}
