import type { Logger } from 'pino';
import type { Policy } from '../config/policy/policy.ts';
import type { Pool } from '../db/pool.ts';
import type { Caller, Identity } from './identity.ts';
import { hashKey } from './keys.ts';
import { defaultOrganization } from './store.ts';

/** Revocation is effective everywhere within this and a query's time. */
const pollMs = 1_000;

interface LiveKey extends Pick<Caller, 'organization'> {
  id: string;
  expiresAt: number | null;
}

const nobody = { apiKey: null, workload: null, tags: {} };

/** All keys that may make calls, held in memory and read anew every second. */
export function createIdentity(options: { pool: Pool; policy: Policy; log: Logger; now: () => number }) {
  const { pool, policy, log, now } = options;
  let keys = new Map<string, LiveKey>();
  let timer: NodeJS.Timeout | undefined;
  let away = false;

  async function refresh(): Promise<void> {
    const { rows } = await pool.query<{
      id: string;
      organization: string;
      hash: Buffer;
      expires_at: Date | null;
    }>(`SELECT id, organization, hash, expires_at FROM api_keys WHERE scope = 'call' AND revoked_at IS NULL`);
    keys = new Map(
      rows.map((row) => [
        row.hash.toString('hex'),
        { organization: row.organization, id: row.id, expiresAt: row.expires_at?.getTime() ?? null },
      ]),
    );
  }

  async function poll(): Promise<void> {
    try {
      await refresh();
      if (away) log.info('PostgreSQL is back: keys are current again');
      away = false;
    } catch (error) {
      if (!away) log.warn({ err: error }, 'keys cannot be read: the last ones stay in force');
      away = true;
    }
    if (timer) timer = setTimeout(poll, pollMs);
  }

  const identity: Identity = {
    anonymous: { organization: defaultOrganization, ...nobody },
    // A look-up by hash: how long it takes says nothing about the key.
    byKey(key) {
      const live = keys.get(hashKey(key).toString('hex'));
      if (!live || (live.expiresAt !== null && live.expiresAt <= now())) return null;
      return { ...nobody, organization: live.organization, apiKey: live.id };
    },
    policy: () => policy,
  };
  return {
    ...identity,
    /** Rejects when the keys cannot be read at all. */
    async start(): Promise<void> {
      await refresh();
      timer = setTimeout(poll, pollMs);
    },
    stop(): void {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}
