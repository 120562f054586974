import type { Logger } from 'pino';
import { follow } from '../db/follow.ts';
import { readPurges, readPurgeVersion } from './cold/purges.ts';
import type { Purges } from './purges.ts';

/** Keeps a process's knowledge of purges current: at each notification, and once a second. */
export function createPurgeFeed(options: {
  url: string;
  log: Logger;
  purges: Purges;
  /** Something has been purged. */
  purged: () => void;
}) {
  const { url, log, purges, purged } = options;
  let version = '';
  let away = false;
  return follow({
    url,
    channel: 'weir_cache',
    async look(client) {
      const current = await readPurgeVersion(client);
      if (current !== version) {
        purges.set(await readPurges(client));
        purged();
      }
      version = current;
      away = false;
    },
    lost(error) {
      if (!away) log.warn({ err: error }, 'PostgreSQL is away: nothing can be purged from the cache');
      away = true;
    },
  });
}
