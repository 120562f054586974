import { createHmac } from 'node:crypto';
import { LRUCache } from 'lru-cache';

/** Credentials whose fingerprints are remembered: the same few come with every call. */
const remembered = 1_000;

/** Names a credential without telling it: 32 hex digits of HMAC-SHA-256 with the key of this installation. */
export function createFingerprint(hashKey: Buffer): (credential: string) => string {
  const known = new LRUCache<string, string>({ max: remembered });
  return (credential) => {
    let name = known.get(credential);
    if (name === undefined) {
      name = createHmac('sha256', hashKey).update(credential).digest('hex').slice(0, 32);
      known.set(credential, name);
    }
    return name;
  };
}
