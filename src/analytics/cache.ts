import type { Pool } from '../db/pool.ts';

/** What an organization's cache holds, and what it gave. Money as decimal strings. */
export interface CacheTotals {
  answers: number;
  bytes: number;
  hits: number;
  coalesced: number;
  misses: number;
  saved_tokens: number;
  saved_usd: string;
  would_be_hits: number;
  would_be_saved_tokens: number;
  would_be_saved_usd: string;
}

/** The sums of days in UTC, both included; what is held is held now. */
export async function cacheTotals(
  pool: Pool,
  organization: string,
  range: { start: Date; end: Date },
): Promise<CacheTotals> {
  const { rows } = await pool.query<CacheTotals>(
    `SELECT held.*, sums.* FROM
       (SELECT count(*) AS answers, coalesce(sum(bytes), 0)::bigint AS bytes FROM cache_entries
         WHERE organization = $1 AND delete_at > now()) held,
       (SELECT coalesce(sum(hits), 0)::bigint AS hits, coalesce(sum(coalesced), 0)::bigint AS coalesced,
               coalesce(sum(misses), 0)::bigint AS misses,
               coalesce(sum(saved_tokens), 0)::bigint AS saved_tokens,
               trim_scale(coalesce(sum(saved_usd), 0))::text AS saved_usd,
               coalesce(sum(would_be_hits), 0)::bigint AS would_be_hits,
               coalesce(sum(would_be_saved_tokens), 0)::bigint AS would_be_saved_tokens,
               trim_scale(coalesce(sum(would_be_saved_usd), 0))::text AS would_be_saved_usd
          FROM cache_totals
         WHERE organization = $1 AND day >= ($2::timestamptz AT TIME ZONE 'UTC')::date
           AND day < ($3::timestamptz AT TIME ZONE 'UTC' + interval '1 day' - interval '1 microsecond')::date) sums`,
    [organization, range.start, range.end],
  );
  const [row] = rows;
  if (!row) throw new Error('a sum has no row');
  return row;
}
