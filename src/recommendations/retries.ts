import { type Fact, type Finder, paid } from './recommendation.ts';

const claim = 'retries';
/** So many attempts at one request, each within five minutes of the one before, are a storm. */
const minAttempts = 5;

/** Requests that were sent again and again, and paid for though nobody got the answer. */
export const retries: Finder = async (context) => {
  await context.client.query(
    `INSERT INTO claims
     SELECT '${claim}', id, started_at, usd
       FROM (SELECT *, count(*) OVER (PARTITION BY cache_key, run) AS attempts,
                    lead(started_at) OVER (PARTITION BY cache_key, run ORDER BY started_at) IS NOT NULL AS is_repeated
               FROM (SELECT *, count(*) FILTER (WHERE is_first) OVER (PARTITION BY cache_key ORDER BY started_at) AS run
                       FROM (SELECT id, cache_key, started_at, outcome, cost_usd + coalesce(tool_usd, 0) AS usd,
                                    coalesce(started_at - lag(started_at) OVER (PARTITION BY cache_key ORDER BY started_at)
                                             > interval '5 minutes', true) AS is_first
                               FROM calls
                              WHERE ${paid} AND cache_key IN (
                                SELECT cache_key FROM calls WHERE ${paid} AND outcome IN ('disconnected', 'upstream_error')
                                 GROUP BY 1 HAVING count(*) >= ${minAttempts - 1})) AS calls) AS runs) AS storms
      WHERE attempts >= ${minAttempts} AND is_repeated AND outcome IN ('disconnected', 'upstream_error')`,
  );
  const { rows } = await context.client.query<Record<string, Fact>>(
    `SELECT workload, api_key, coalesce(model, requested_model) AS model, outcome, count(*) AS calls,
            count(DISTINCT cache_key) AS requests, round(max(duration_ms)) AS longest_ms,
            trim_scale(sum(saved))::text AS potential_savings_usd
       FROM claims JOIN calls USING (id, started_at)
      WHERE claim = '${claim}' GROUP BY 1, 2, 3, 4 ORDER BY sum(saved) DESC LIMIT 10`,
  );
  return [
    {
      claim,
      type: 'retries',
      title: 'Requests were given up and sent again and again: each attempt was paid for',
      evidence: { least_attempts: minAttempts },
      groups: rows.map((row) => ({ ...row, longest_ms: Number(row.longest_ms) })),
      patch: null,
      advice:
        'Give these callers a longer time-out than their answers take, or let them stream; bound their retries, with a growing pause.',
    },
  ];
};
