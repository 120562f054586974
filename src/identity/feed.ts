import type pg from 'pg';
import type { Logger } from 'pino';
import { follow } from '../db/follow.ts';
import type { IdentityFacts } from './facts.ts';
import { readFacts, readVersion } from './read.ts';

export interface FeedOptions {
  url: string;
  log: Logger;
  /** Done on each new connection, before anything is read. */
  connected: (client: pg.Client) => Promise<void>;
  /** In the order of the changes. */
  changed: (facts: IdentityFacts) => void;
}

/** Tells what the database knows of callers, at once and at each change. */
export function createFeed({ url, log, connected, changed }: FeedOptions) {
  let connection: pg.Client | null = null;
  let version: number | null = null;
  let away = false;
  const first = Promise.withResolvers<void>();

  const following = follow({
    url,
    channel: 'weir_identity',
    async look(client) {
      if (client !== connection) await connected(client);
      connection = client;
      const current = await readVersion(client);
      if (current !== version) {
        const facts = await readFacts(client);
        changed(facts);
        version = facts.version;
      }
      if (away) log.info('PostgreSQL is back: keys and policies are current again');
      away = false;
      first.resolve();
    },
    lost(error) {
      first.reject(error);
      if (!away) log.warn({ err: error }, 'PostgreSQL is away: the last keys and policies stay in force');
      away = true;
    },
  });
  return {
    /** Resolves when the first facts are told; rejects when they cannot be read now, and goes on trying. */
    async start(): Promise<void> {
      await following.start();
      await first.promise;
    },
    stop: following.stop,
  };
}
