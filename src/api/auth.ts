import type { FastifyRequest } from 'fastify';
import type { Pool } from '../db/pool.ts';
import type { KeyScope } from '../identity/identity.ts';
import { hashKey } from '../identity/keys.ts';
import { Problem } from './problem.ts';

/** Who asks the API. */
export interface Principal {
  organization: string;
  apiKey: string;
}

const challenge = { 'www-authenticate': 'Bearer realm="weir"' };

/** Finds the admin key behind a request; throws a Problem that says what to send instead. */
export function createAuthenticate(pool: Pool) {
  return async (request: FastifyRequest): Promise<Principal> => {
    const key = /^bearer\s+(weir_\S+)$/i.exec(request.headers.authorization?.trim() ?? '')?.[1];
    if (key === undefined) {
      throw new Problem(
        401,
        'key_missing',
        'send an admin key: Authorization: Bearer weir_admin_…',
        challenge,
      );
    }
    const { rows } = await pool.query<{ id: string; organization: string; scope: KeyScope }>(
      `SELECT id, organization, scope FROM api_keys
        WHERE hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`,
      [hashKey(key)],
    );
    const [found] = rows;
    if (!found)
      throw new Problem(
        401,
        'key_unknown',
        'this key is not known, or was revoked, or has expired',
        challenge,
      );
    if (found.scope !== 'admin') {
      throw new Problem(
        403,
        'key_not_allowed',
        'this key makes calls; the API takes an admin key (weir_admin_…)',
      );
    }
    return { organization: found.organization, apiKey: found.id };
  };
}
