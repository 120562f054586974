import type { PoolClient } from 'pg';

/**
 * What each finding says that it would have saved, call by call: so that sums are exact, and a call that two
 * findings are about is counted once in the total. `detail` is the finding's own. Lives as long as the transaction.
 */
const create = `
  CREATE TEMP TABLE claims (
    claim text NOT NULL, id uuid NOT NULL, started_at timestamptz NOT NULL, saved numeric NOT NULL, detail text
  ) ON COMMIT DROP`;

export async function openClaims(client: PoolClient): Promise<void> {
  await client.query(create);
}

/** What was claimed under one name. */
export interface Claimed {
  claim: string;
  saved_usd: string;
  calls: number;
  first_at: Date;
  last_at: Date;
}

const sums = `
  SELECT claim, trim_scale(sum(saved))::text AS saved_usd, count(*) AS calls, min(started_at) AS first_at,
         max(started_at) AS last_at
    FROM claims GROUP BY claim`;

export async function sumClaims(client: PoolClient): Promise<Map<string, Claimed>> {
  const { rows } = await client.query<Claimed>(sums);
  return new Map(rows.map((row) => [row.claim, row]));
}

const examples = 5;

/** The calls that would have saved the most. */
export async function dearestOf(client: PoolClient, claim: string): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(
    `SELECT id FROM claims WHERE claim = $1 ORDER BY saved DESC, started_at, id LIMIT ${examples}`,
    [claim],
  );
  return rows.map(({ id }) => id);
}

const total = `
  SELECT coalesce(trim_scale(sum(most)), 0)::text AS total
    FROM (SELECT max(saved) AS most FROM claims WHERE claim = ANY ($1) GROUP BY id, started_at) AS calls`;

/** What all of these would have saved together; of a call that several are about, the most. USD. */
export async function totalOf(client: PoolClient, claims: string[]): Promise<string> {
  const { rows } = await client.query<{ total: string }>(total, [claims]);
  return rows[0]?.total ?? '0';
}
