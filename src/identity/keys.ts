import { createHash, randomBytes } from 'node:crypto';
import type { KeyScope } from './identity.ts';

/** A key as it is made: `secret` is shown once, only its hash is kept. */
export interface NewKey {
  id: string;
  secret: string;
  prefix: string;
  hash: Buffer;
  scope: KeyScope;
}

const starts: Record<KeyScope, string> = { call: 'weir_sk_', api: 'weir_api_', admin: 'weir_admin_' };

/** A new key: 192 random bits behind a prefix that tells its use. */
export function makeKey(scope: KeyScope): NewKey {
  return describeKey(starts[scope] + randomBytes(24).toString('base64url'), scope);
}

/** The stored form of a key that is known. */
export function describeKey(secret: string, scope: KeyScope): NewKey {
  const hash = hashKey(secret);
  return {
    id: `key_${hash.toString('hex').slice(0, 20)}`,
    secret,
    prefix: secret.slice(0, starts[scope].length + 4),
    hash,
    scope,
  };
}

/** SHA-256: keys are random, so there is nothing for a slow hash to protect. */
export function hashKey(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
