import type { Pool } from '../db/pool.ts';
import type { AnswerFacts, Place } from './cache.ts';
import { createQueue } from './cold/queue.ts';

/** What came of one look at the cache. */
export type Result = 'hit' | 'coalesced' | 'miss' | 'would_be_hit';

export interface Counts {
  /** `answer`: the one that was given, or would have been. */
  count(place: Place, result: Result, answer: Pick<AnswerFacts, 'usage' | 'costUsd'> | null): void;
  stop(): Promise<void>;
}

interface Look extends Place {
  result: Result;
  tokens: number;
  usd: string;
  at: number;
}

const everyMs = 1_000;
const maxBatch = 5_000;
const lookBytes = 200;
const maxBytes = 8 * 1024 * 1024;

/** Counts what the cache gave and saved, by answer and by organization; written to PostgreSQL once a second. */
export function createCounts(options: {
  pool: Pool;
  now: () => number;
  lost: (error: unknown, looks: number) => void;
}): Counts {
  const { pool, now, lost } = options;
  const queue = createQueue<Look>({
    write: (looks) => writeCounts(pool, looks),
    sizeOf: () => lookBytes,
    maxBytes,
    maxBatch,
    everyMs,
    lost,
  });
  return {
    count({ organization, key }, result, answer) {
      const { input = 0, output = 0 } = answer?.usage ?? {};
      const tokens = (input ?? 0) + (output ?? 0);
      queue.push({ organization, key, result, tokens, usd: answer?.costUsd ?? '0', at: now() });
    },
    stop: () => queue.stop(),
  };
}

// Rows are changed in one order by all: two that write at once do not wait for each other in a circle.
const statement = `
  WITH looks AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::bytea[], $3::text[], $4::bigint[], $5::numeric[], $6::timestamptz[])
      AS look (organization, key, result, tokens, usd, at)
  ), given AS (
    SELECT key, count(*) AS hits, sum(tokens) AS tokens, sum(usd) AS usd, max(at) AS at FROM looks
     WHERE result IN ('hit', 'coalesced') GROUP BY key
  ), locked AS (
    SELECT given.* FROM cache_entries JOIN given USING (key) ORDER BY key FOR UPDATE OF cache_entries
  ), entries AS (
    UPDATE cache_entries AS e
       SET hits = e.hits + locked.hits, saved_tokens = e.saved_tokens + locked.tokens,
           saved_usd = e.saved_usd + locked.usd, last_hit_at = greatest(e.last_hit_at, locked.at)
      FROM locked WHERE e.key = locked.key
  )
  INSERT INTO cache_totals AS t (organization, day, hits, coalesced, misses, saved_tokens, saved_usd,
                                 would_be_hits, would_be_saved_tokens, would_be_saved_usd)
  SELECT organization, (at AT TIME ZONE 'UTC')::date,
         count(*) FILTER (WHERE result = 'hit'), count(*) FILTER (WHERE result = 'coalesced'),
         count(*) FILTER (WHERE result = 'miss'),
         coalesce(sum(tokens) FILTER (WHERE result IN ('hit', 'coalesced')), 0),
         coalesce(sum(usd) FILTER (WHERE result IN ('hit', 'coalesced')), 0),
         count(*) FILTER (WHERE result = 'would_be_hit'),
         coalesce(sum(tokens) FILTER (WHERE result = 'would_be_hit'), 0),
         coalesce(sum(usd) FILTER (WHERE result = 'would_be_hit'), 0)
    FROM looks JOIN organizations ON organizations.id = looks.organization
   GROUP BY 1, 2 ORDER BY 1, 2
  ON CONFLICT (organization, day) DO UPDATE
    SET hits = t.hits + excluded.hits, coalesced = t.coalesced + excluded.coalesced,
        misses = t.misses + excluded.misses, saved_tokens = t.saved_tokens + excluded.saved_tokens,
        saved_usd = t.saved_usd + excluded.saved_usd, would_be_hits = t.would_be_hits + excluded.would_be_hits,
        would_be_saved_tokens = t.would_be_saved_tokens + excluded.would_be_saved_tokens,
        would_be_saved_usd = t.would_be_saved_usd + excluded.would_be_saved_usd`;

async function writeCounts(pool: Pool, looks: readonly Look[]): Promise<void> {
  await pool.query({
    name: 'weir-cache-count',
    text: statement,
    values: [
      looks.map(({ organization }) => organization),
      looks.map(({ key }) => Buffer.from(key, 'hex')),
      looks.map(({ result }) => result),
      looks.map(({ tokens }) => tokens),
      looks.map(({ usd }) => usd),
      looks.map(({ at }) => new Date(at)),
    ],
  });
}
