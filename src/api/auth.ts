import type { FastifyRequest } from 'fastify';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import type { Pool } from '../db/pool.ts';
import type { KeyScope } from '../identity/identity.ts';
import { hashKey } from '../identity/keys.ts';
import { Problem } from './problem.ts';
import { lesser, type Role } from './roles.ts';

/** Who asks the API. */
export interface Principal {
  organization: string;
  /** The id of the key. */
  apiKey: string;
  /** Whose key it is; null: the organization's. */
  user: string | null;
  role: Role;
}

/** Finds who is behind a request; throws a Problem that says what to send instead. */
export type Authenticate = (request: FastifyRequest) => Promise<Principal>;

interface KeyRow {
  id: string;
  organization: string;
  scope: KeyScope;
  role: Role | null;
  user_id: string | null;
  user_role: Role | null;
}

/** Unknown keys that an address may send in a minute; then it waits. */
const maxFailures = 30;
const failureWindowS = 60;

const challenge = { 'www-authenticate': 'Bearer realm="weir"' };

// One query a request and nothing remembered: a key that is revoked is refused from the next request on.
// What a key of the API was last used for is written at most once a minute.
const statement = `
  WITH found AS (
    SELECT k.id, k.organization, k.scope, k.role, k.user_id, u.role AS user_role
      FROM api_keys k LEFT JOIN users u ON u.id = k.user_id
     WHERE k.hash = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
       AND u.removed_at IS NULL
  ), used AS (
    UPDATE api_keys SET last_used_at = now() FROM found
     WHERE api_keys.id = found.id AND found.scope <> 'call'
       AND (api_keys.last_used_at IS NULL OR api_keys.last_used_at < now() - interval '1 minute')
  )
  SELECT * FROM found`;

export function createAuthenticate(pool: Pool): Authenticate {
  const failures = new RateLimiterMemory({ points: maxFailures, duration: failureWindowS });
  return async (request) => {
    const key = /^bearer\s+(weir_\S+)$/i.exec(request.headers.authorization?.trim() ?? '')?.[1];
    if (key === undefined)
      throw new Problem(401, 'key_missing', 'send a key of the API: Authorization: Bearer weir_…', challenge);
    const failed = await failures.get(request.ip);
    if (failed && failed.remainingPoints === 0) {
      const seconds = Math.ceil(failed.msBeforeNext / 1000);
      throw new Problem(
        429,
        'too_many_failures',
        `too many unknown keys came from this address: wait ${seconds} s`,
        { 'retry-after': String(seconds) },
      );
    }
    const { rows } = await pool.query<KeyRow>(statement, [hashKey(key)]);
    const [found] = rows;
    if (!found) {
      await failures.consume(request.ip).catch(() => {});
      throw new Problem(
        401,
        'key_unknown',
        'this key is not known, or was revoked, or has expired',
        challenge,
      );
    }
    const role = roleOf(found);
    if (!role) {
      throw new Problem(
        403,
        'key_not_allowed',
        'this key makes calls; the API takes a key of scope api (weir_api_…) or an admin key (weir_admin_…)',
      );
    }
    return { organization: found.organization, apiKey: found.id, user: found.user_id, role };
  };
}

/** A key of a user never has more than its user; null: it does not ask the API. */
function roleOf({ scope, role, user_role }: KeyRow): Role | null {
  if (scope === 'admin') return 'admin';
  if (scope === 'call') return null;
  return role && user_role ? lesser(role, user_role) : (user_role ?? role);
}
