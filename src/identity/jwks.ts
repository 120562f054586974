import { readFile } from 'node:fs/promises';
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { Agent, request } from 'undici';
import { z } from 'zod';
import type { WorkloadsConfig } from '../config/organizations.ts';

const timeoutMs = 5_000;
/** A token of a key that is not known asks for the keys again, but not more often than so. */
const cooldownMs = 30_000;
/** Keys are fetched anew after this, while the old ones stay in use. */
const maxAgeMs = 10 * 60_000;
const maxBytes = 1024 * 1024;

const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });

export type LoadKeys = () => Promise<JSONWebKeySet>;

/** Reads the keys where the config says they are: a URL, or a file. */
export function keysOf({ jwks, ca_file, token_file }: WorkloadsConfig & { jwks: string }): LoadKeys {
  if (!/^https?:\/\//.test(jwks)) return async () => parse(await readFile(jwks, 'utf8'));
  return async () => {
    const ca = ca_file === undefined ? undefined : await readFile(ca_file, 'utf8');
    const token = token_file === undefined ? undefined : (await readFile(token_file, 'utf8')).trim();
    // For this one request: it is made every ten minutes.
    const dispatcher = new Agent({ connect: { ...(ca !== undefined && { ca }) }, maxResponseSize: maxBytes });
    try {
      const { statusCode, body } = await request(jwks, {
        dispatcher,
        signal: AbortSignal.timeout(timeoutMs),
        headers: {
          // The API server answers its own type alone.
          accept: 'application/jwk-set+json, application/json',
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
      });
      if (statusCode !== 200) {
        await body.dump();
        throw new Error(`${jwks} answers ${statusCode}`);
      }
      return parse(await body.text());
    } finally {
      await dispatcher.close().catch(() => {});
    }
  };
}

function parse(text: string): JSONWebKeySet {
  return keySet.parse(JSON.parse(text));
}

/**
 * The keys that tokens are signed with. The last good ones stay in use while new ones cannot be had; a token
 * of a key that is not among them has them fetched anew, at most every 30 seconds.
 */
export function createKeySet(options: {
  load: LoadKeys;
  now: () => number;
  failed: (error: unknown) => void;
}): JWTVerifyGetKey {
  const { load, now, failed } = options;
  let known: ReturnType<typeof createLocalJWKSet> | null = null;
  let askedAt = Number.NEGATIVE_INFINITY;
  let loading: Promise<void> | null = null;

  function refresh(): Promise<void> {
    askedAt = now();
    loading ??= load()
      .then((keys) => {
        known = createLocalJWKSet(keys);
      })
      .catch(failed)
      .finally(() => {
        loading = null;
      });
    return loading;
  }

  return async (header, token) => {
    const age = now() - askedAt;
    if (loading && !known) await loading;
    else if (!known && age >= cooldownMs) await refresh();
    else if (age >= maxAgeMs) void refresh();
    if (!known) throw new errors.JWKSNoMatchingKey('the keys cannot be read');
    try {
      return await known(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || now() - askedAt < cooldownMs) throw error;
      await refresh();
      return known(header, token);
    }
  };
}
