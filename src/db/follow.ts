import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';

/** A notification that is lost is made up for after this. */
const pollMs = 1_000;
const queryTimeoutMs = 3_000;
const maxWaitMs = 2_000;
const farewellMs = 500;

export interface FollowOptions {
  url: string;
  channel: string;
  /** Done on each new connection, at each notification, and once a second. */
  look: (client: pg.Client) => Promise<void>;
  /** PostgreSQL is away; it is tried again. */
  lost: (error: unknown) => void;
}

/** Follows what changes in the database, on a connection of its own that is made anew when it is lost. */
export function follow({ url, channel, look, lost }: FollowOptions) {
  const stopping = new AbortController();
  const { signal } = stopping;

  async function connect(first: () => void): Promise<void> {
    const client = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: queryTimeoutMs,
      statement_timeout: queryTimeoutMs,
      query_timeout: queryTimeoutMs,
      keepAlive: true,
      application_name: `weir ${channel}`,
    });
    let noticed = new AbortController();
    for (const event of ['notification', 'error', 'end'] as const) client.on(event, () => noticed.abort());
    try {
      await client.connect();
      // Before anything is read: no change falls between.
      await client.query(`LISTEN ${channel}`);
      while (!signal.aborted) {
        noticed = new AbortController();
        await look(client);
        first();
        await sleep(pollMs, AbortSignal.any([signal, noticed.signal]));
      }
    } finally {
      // One that hangs does not answer a farewell either.
      await Promise.race([client.end().catch(() => {}), sleep(farewellMs, signal)]);
    }
  }

  async function run(first: () => void): Promise<void> {
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        await connect(() => {
          attempt = 0;
          first();
        });
      } catch (error) {
        if (signal.aborted) return;
        lost(error);
        first();
        await sleep(Math.min(maxWaitMs, 100 * 2 ** attempt) * (0.5 + Math.random() / 2), signal);
      }
    }
  }

  let running = Promise.resolve();
  return {
    /** Resolves when it has looked once, or could not. */
    start(): Promise<void> {
      return new Promise((resolve) => {
        running = run(resolve);
      });
    },
    async stop(): Promise<void> {
      stopping.abort();
      await running;
    },
  };
}

/** Resolves after the time, or when it is called off. */
async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {});
}
