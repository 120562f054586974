import { setTimeout as delay } from 'node:timers/promises';
import { isUnavailable, type Pool } from '../db/pool.ts';
import type { Comparison } from './replay.ts';

const tries = 4;
const firstPauseMs = 250;

/** Writes down what a comparison came to; no prompt, no answer. Rejects when PostgreSQL stays away. */
export function createComparisonStore(pool: Pool): (comparison: Comparison) => Promise<void> {
  return async ({ call, replay, verdict }) => {
    for (let attempt = 1; ; attempt++) {
      try {
        await pool.query(
          `INSERT INTO routing_comparisons
             (exchange_id, organization, complexity, requested_model, routed_model, replay_id, judge_model, verdict)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
          [
            call.exchange,
            call.organization,
            call.complexity,
            call.baseline.model,
            call.routed.model,
            replay,
            call.judgeModel ?? null,
            verdict,
          ],
        );
        return;
      } catch (error) {
        if (attempt === tries || !isUnavailable(error)) throw error;
        await delay(firstPauseMs * 2 ** attempt * (0.5 + Math.random() / 2));
      }
    }
  };
}
