import { type Pool, withConnection } from '../db/pool.ts';
import { batchable } from './batch.ts';
import { gatherCalls } from './calls.ts';
import { type Claimed, dearestOf, openClaims, sumClaims, totalOf } from './claims.ts';
import { maxTokens } from './max-tokens.ts';
import { modelDowngrade } from './model-downgrade.ts';
import { promptCache } from './prompt-cache.ts';
import { reasoningEffort } from './reasoning-effort.ts';
import { type Context, type Draft, type Finder, thresholds } from './recommendation.ts';
import { repeatedRequests } from './repeated-requests.ts';
import { retries } from './retries.ts';
import { spendAnomaly } from './spend-anomaly.ts';

/** A recommendation brings its file and puts itself here. */
const finders: readonly Finder[] = [
  repeatedRequests,
  modelDowngrade,
  maxTokens,
  promptCache,
  retries,
  batchable,
  reasoningEffort,
  spendAnomaly,
];

export interface Recommendation extends Omit<Draft, 'claim'> {
  id: string;
  /** What it would have saved in the period. USD, decimal. */
  potential_savings_usd: string;
  /** Calls that it is about, from when to when. */
  calls: number;
  first_at: Date;
  last_at: Date;
  /** Exchanges that would have saved the most. */
  exchanges: string[];
}

export interface Recommendations {
  recommendations: Recommendation[];
  /** Of a call that several are about, the most is counted. */
  total_potential_savings_usd: string;
}

/**
 * What would have cost less in a period, by its calls; what is worth it, the greatest first. Everything is read
 * from one snapshot, on a connection of its own.
 */
export function recommend(pool: Pool, context: Omit<Context, 'client'>): Promise<Recommendations> {
  return withConnection(pool, async (client) => {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await client.query("SET LOCAL work_mem = '64MB'");
    await client.query('SET LOCAL jit = off');
    await gatherCalls(client, context);
    await openClaims(client);
    const drafts: Draft[] = [];
    for (const find of finders) drafts.push(...(await find({ ...context, client })));
    const claimed = await sumClaims(client);
    const worth = drafts
      .flatMap((draft) => worthwhile(draft, claimed.get(draft.claim)))
      .sort((a, b) => Number(b.claimed.saved_usd) - Number(a.claimed.saved_usd));
    const recommendations: Recommendation[] = [];
    for (const { draft, claimed } of worth) {
      const { claim, ...told } = draft;
      const { saved_usd, calls, first_at, last_at } = claimed;
      const exchanges = await dearestOf(client, claim);
      recommendations.push({
        id: claim,
        ...told,
        potential_savings_usd: saved_usd,
        calls,
        first_at,
        last_at,
        exchanges,
      });
    }
    const total = await totalOf(
      client,
      worth.map(({ draft }) => draft.claim),
    );
    await client.query('ROLLBACK');
    return { recommendations, total_potential_savings_usd: total };
  });
}

function worthwhile(draft: Draft, claimed: Claimed | undefined): { draft: Draft; claimed: Claimed }[] {
  return claimed && Number(claimed.saved_usd) > thresholds[draft.type] ? [{ draft, claimed }] : [];
}
