import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from 'pino';
import type { IdentityFacts } from './facts.ts';
import { readFacts, readVersion } from './read.ts';

/** A change whose notification is lost is seen after this and a query's time. */
const pollMs = 1_000;
/** PostgreSQL answers these queries at once or it is away. */
const queryTimeoutMs = 3_000;
const maxWaitMs = 2_000;
const farewellMs = 500;

export interface FeedOptions {
  url: string;
  log: Logger;
  /** Done on each new connection, before anything is read. */
  connected: (client: pg.Client) => Promise<void>;
  /** In the order of the changes. */
  changed: (facts: IdentityFacts) => void;
  random?: () => number;
}

/**
 * Tells what the database knows of callers, at once and at each change: by notification, and by a look at
 * the version each second, on a connection of its own that is made anew when it is lost.
 */
export function createFeed({ url, log, connected, changed, random = Math.random }: FeedOptions) {
  const stopping = new AbortController();
  const { signal } = stopping;
  let version: number | null = null;
  let away = false;
  let running = Promise.resolve();

  async function follow(client: pg.Client, first: () => void): Promise<void> {
    const notice = listen(client, signal);
    // Before anything is read: no change falls between.
    await client.query('LISTEN weir_identity');
    await connected(client);
    while (!signal.aborted) {
      const current = await readVersion(client);
      if (current !== version) {
        const facts = await readFacts(client);
        changed(facts);
        version = facts.version;
      }
      if (away) log.info('PostgreSQL is back: keys and policies are current again');
      away = false;
      first();
      await notice(pollMs);
    }
  }

  async function connect(first: () => void): Promise<void> {
    const client = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: queryTimeoutMs,
      statement_timeout: queryTimeoutMs,
      query_timeout: queryTimeoutMs,
      keepAlive: true,
      application_name: 'weir identity',
    });
    try {
      await client.connect();
      await follow(client, first);
    } finally {
      // One that hangs does not answer a farewell either.
      await Promise.race([client.end().catch(() => {}), sleep(farewellMs, signal)]);
    }
  }

  async function run(first: () => void, failed: (error: unknown) => void): Promise<void> {
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        await connect(() => {
          attempt = 0;
          first();
        });
      } catch (error) {
        if (signal.aborted) return;
        failed(error);
        if (!away) log.warn({ err: error }, 'PostgreSQL is away: the last keys and policies stay in force');
        away = true;
        await sleep(Math.min(maxWaitMs, 100 * 2 ** attempt) * (0.5 + random() / 2), signal);
      }
    }
  }

  return {
    /** Resolves when the first facts are told; rejects when they cannot be read now, and goes on trying. */
    start(): Promise<void> {
      return new Promise((resolve, reject) => {
        running = run(resolve, reject);
      });
    },
    async stop(): Promise<void> {
      stopping.abort();
      await running;
    },
  };
}

/**
 * Gives what waits for the next notification, or so many milliseconds. One that comes while nobody waits
 * counts as well, and so does the end of the connection: the next query then fails.
 */
function listen(client: pg.Client, signal: AbortSignal): (ms: number) => Promise<void> {
  let noticed = false;
  let wake = () => {};
  for (const event of ['notification', 'error', 'end'] as const) {
    client.on(event, () => {
      noticed = true;
      wake();
    });
  }
  return async (ms) => {
    const waiting = new AbortController();
    wake = () => waiting.abort();
    if (!noticed) await sleep(ms, AbortSignal.any([signal, waiting.signal]));
    noticed = false;
  };
}

/** Resolves after the time, or when it is called off. */
async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {});
}
