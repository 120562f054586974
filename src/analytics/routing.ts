import type { Pool } from '../db/pool.ts';
import { bookingsOf } from './bookings.ts';
import { bootstrapMean, type Interval, wilson } from './confidence.ts';
import type { TimeRange } from './dates.ts';

/** What routing saved, and what it cost in quality. Money in decimal strings of USD, null where nothing is known. */
export interface RoutingReport {
  /** Calls that were given to another model than the one asked for. */
  routed: { calls: number; cost_usd: string | null; baseline_usd: string | null; saved_usd: string | null };
  /** What proving it cost. */
  replay_usd: string | null;
  judge_usd: string | null;
  /** `saved_usd` less those two. */
  net_saved_usd: string | null;
  /** By calls that were sent to both models: what the other one really cost more, USD a call. */
  measured: { calls: number; saved_per_call_usd: Interval | null };
  quality: {
    judged: number;
    better: number;
    same: number;
    worse: number;
    /** Mean of 1 for better, 0 for the same, -1 for worse. */
    difference: Interval | null;
    /** The share of routed answers that are as good as the other or better. */
    not_worse: Interval | null;
  };
  /** Calls that shadow would have given to another model. */
  shadow: { calls: number; cost_usd: string | null; routed_usd: string | null };
}

/** Of the newest so many comparisons. */
const maxComparisons = 2_000;

const money = (sql: string, name: string) => `trim_scale(${sql})::text AS ${name}`;
const routed = `routing_mode = 'on' AND baseline_usd IS NOT NULL AND purpose IS NULL`;
// What is added to a closed period may be of one of the two.
const saved = 'baseline_usd - coalesce(cost_usd, CASE WHEN adjusts THEN 0 END)';
const sums = (bookings: string) => `
  SELECT count(*) FILTER (WHERE ${routed} AND NOT adjusts) AS calls,
         ${money(`sum(cost_usd) FILTER (WHERE ${routed})`, 'cost_usd')},
         ${money(`sum(baseline_usd) FILTER (WHERE ${routed})`, 'baseline_usd')},
         ${money(`sum(${saved}) FILTER (WHERE ${routed})`, 'saved_usd')},
         ${money(`sum(cost_usd) FILTER (WHERE purpose = 'replay')`, 'replay_usd')},
         ${money(`sum(cost_usd) FILTER (WHERE purpose = 'judge')`, 'judge_usd')},
         ${money(
           `sum(${saved}) FILTER (WHERE ${routed}) - coalesce(sum(cost_usd) FILTER (WHERE purpose IN ('replay', 'judge')), 0)`,
           'net_saved_usd',
         )},
         count(*) FILTER (WHERE routing_usd IS NOT NULL AND NOT adjusts) AS shadow_calls,
         ${money('sum(cost_usd) FILTER (WHERE routing_usd IS NOT NULL)', 'shadow_cost_usd')},
         ${money('sum(routing_usd)', 'shadow_routed_usd')}
    FROM ${bookings} WHERE organization = $1 AND started_at >= $2 AND started_at < $3`;

const comparisons = `
  SELECT verdict, (replay.cost_usd - routed.cost_usd)::float8 AS saved
    FROM routing_comparisons c
    LEFT JOIN usage routed ON routed.id = c.exchange_id AND routed.organization = c.organization
    LEFT JOIN usage replay ON replay.id = c.replay_id AND replay.organization = c.organization
   WHERE c.organization = $1 AND c.at >= $2 AND c.at < $3
   ORDER BY c.at DESC LIMIT ${maxComparisons}`;

export async function routingReport(
  pool: Pool,
  { organization, range }: { organization: string; range: TimeRange },
): Promise<RoutingReport> {
  const values = [organization, range.start, range.end];
  const bookings = await bookingsOf(pool);
  const [totals, compared] = await Promise.all([
    pool.query<Record<string, string | null> & { calls: number; shadow_calls: number }>(
      sums(bookings),
      values,
    ),
    pool.query<{ verdict: number | null; saved: number | null }>(comparisons, values),
  ]);
  const [sum] = totals.rows;
  if (!sum) throw new Error('a sum without a row');
  const verdicts = compared.rows.flatMap(({ verdict }) => verdict ?? []);
  const savings = compared.rows.flatMap(({ saved }) => saved ?? []);
  const count = (wanted: number) => verdicts.filter((verdict) => verdict === wanted).length;
  return {
    routed: {
      calls: sum.calls,
      cost_usd: sum.cost_usd ?? null,
      baseline_usd: sum.baseline_usd ?? null,
      saved_usd: sum.saved_usd ?? null,
    },
    replay_usd: sum.replay_usd ?? null,
    judge_usd: sum.judge_usd ?? null,
    net_saved_usd: sum.net_saved_usd ?? null,
    measured: { calls: savings.length, saved_per_call_usd: bootstrapMean(savings) },
    quality: {
      judged: verdicts.length,
      better: count(1),
      same: count(0),
      worse: count(-1),
      difference: bootstrapMean(verdicts),
      not_worse: wilson(verdicts.length - count(-1), verdicts.length),
    },
    shadow: {
      calls: sum.shadow_calls,
      cost_usd: sum.shadow_cost_usd ?? null,
      routed_usd: sum.shadow_routed_usd ?? null,
    },
  };
}
