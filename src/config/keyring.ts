import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  randomBytes,
  randomFillSync,
} from 'node:crypto';
import { chmodSync, existsSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import type { DataPaths } from './paths.ts';
import type { Config } from './schema.ts';

const version = 1;
const nonceBytes = 12;
const tagBytes = 16;

/** Seals secrets with AES-256-GCM. What was sealed with a key that has been replaced can be opened while that key is kept. */
export interface Keyring {
  /** `context` must be the same when it is opened: a sealed secret cannot be moved to another place. */
  seal(secret: Buffer, context: string): Buffer;
  /** null: sealed with a key that is not here, in another place, or changed since. */
  open(sealed: Buffer, context: string): Buffer | null;
  /** 32 bytes for another purpose: the same while the first key stays. */
  derive(purpose: string): Buffer;
}

/** Keys by their id (1 to 32 bytes of text); the first one seals. */
export type SealKeys = readonly { id: string; key: Buffer }[];

/** Sealed: version, length of the key's id, the id, nonce, tag, cipher text. */
export function createKeyring(keys: SealKeys): Keyring {
  const [current] = keys;
  if (!current) throw new Error('there is no key to seal with');
  // A key in bytes would be made a key object for each secret anew.
  const opening = keys.map(({ id, key }) => ({ id, key: createSecretKey(key) }));
  const sealing = createSecretKey(current.key);
  const nextNonce = createNonces();
  return {
    seal(secret, context) {
      const id = Buffer.from(current.id);
      const nonce = nextNonce();
      const cipher = createCipheriv('aes-256-gcm', sealing, nonce).setAAD(Buffer.from(context));
      const text = Buffer.concat([cipher.update(secret), cipher.final()]);
      return Buffer.concat([Buffer.from([version, id.length]), id, nonce, cipher.getAuthTag(), text]);
    },
    open(sealed, context) {
      const idEnd = 2 + (sealed[1] ?? 0);
      const tagEnd = idEnd + nonceBytes + tagBytes;
      if (sealed[0] !== version || sealed.length < tagEnd) return null;
      const found = opening.find(({ id }) => id === sealed.toString('utf8', 2, idEnd));
      if (!found) return null;
      try {
        const cipher = createDecipheriv('aes-256-gcm', found.key, sealed.subarray(idEnd, idEnd + nonceBytes))
          .setAAD(Buffer.from(context))
          .setAuthTag(sealed.subarray(idEnd + nonceBytes, tagEnd));
        return Buffer.concat([cipher.update(sealed.subarray(tagEnd)), cipher.final()]);
      } catch {
        return null;
      }
    },
    derive: (purpose) => createHmac('sha256', current.key).update(`derive:${purpose}`).digest(),
  };
}

/** Random nonces, many drawn at once. */
function createNonces(): () => Buffer {
  const drawn = Buffer.alloc(256 * nonceBytes);
  let at = drawn.length;
  return () => {
    if (at === drawn.length) {
      randomFillSync(drawn);
      at = 0;
    }
    at += nonceBytes;
    return drawn.subarray(at - nonceBytes, at);
  };
}

const keysFile = z.array(z.object({ id: z.string(), key: z.base64() })).min(1);

/** The keys of the config (`encryption.keys`), else those of this machine. */
export function sealKeysOf(
  { encryption }: Pick<Config, 'encryption'>,
  { sealKeys }: Pick<DataPaths, 'sealKeys'>,
): SealKeys {
  if (encryption.keys.length === 0) return readSealKeys(sealKeys);
  return encryption.keys.map(({ id, key }) => ({ id, key: Buffer.from(key, 'base64') }));
}

/** The keys in `file`, which is made with a new one when it is not there; readable by the owner alone. */
function readSealKeys(file: string): SealKeys {
  if (!existsSync(file)) {
    const made = [{ id: `k${Date.now().toString(36)}`, key: randomBytes(32).toString('base64') }];
    const temporary = `${file}.${process.pid}`;
    writeFileSync(temporary, `${JSON.stringify(made, null, 2)}\n`, { mode: 0o600 });
    chmodSync(temporary, 0o600);
    // Of processes that start together the first one's is everybody's.
    try {
      linkSync(temporary, file);
    } catch (error) {
      if (!existsSync(file)) throw error;
    } finally {
      rmSync(temporary);
    }
  }
  const keys = keysFile.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (!keys.success)
    throw new Error(`${file} holds no keys: restore it, or what was sealed with them is lost`);
  return keys.data.map(({ id, key }) => ({ id, key: Buffer.from(key, 'base64') }));
}
