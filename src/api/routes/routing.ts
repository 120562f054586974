import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { routingReport } from '../../analytics/routing.ts';
import type { Pool } from '../../db/pool.ts';
import { principalOf } from '../access.ts';
import { callsQuery, count, money, rangeOf } from './analytics-query.ts';

const { start_date, end_date, timezone } = callsQuery;
const query = z.strictObject({ start_date, end_date, timezone });
const interval = z
  .object({ value: z.number(), low: z.number(), high: z.number() })
  .nullable()
  .describe('With its 95 % confidence interval.');

const reply = z.object({
  start_date: z.date(),
  end_date: z.date(),
  routed: z.object({ calls: count, cost_usd: money, baseline_usd: money, saved_usd: money }),
  replay_usd: money,
  judge_usd: money,
  net_saved_usd: money.describe('What was saved, less what proving it cost.'),
  measured: z.object({ calls: count, saved_per_call_usd: interval }),
  quality: z.object({
    judged: count,
    better: count,
    same: count,
    worse: count,
    difference: interval,
    not_worse: interval,
  }),
  shadow: z.object({ calls: count, cost_usd: money, routed_usd: money }),
});

/** What routing saved, and what it cost in quality. */
export function routingRoutes(pool: Pool, now: () => number): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/analytics/routing',
      {
        schema: {
          summary: 'What routing saved, and how its answers compare',
          tags: ['analytics'],
          querystring: query,
          response: { 200: reply },
        },
      },
      async (request) => {
        const { organization } = principalOf(request);
        const range = rangeOf(request.query, now());
        const report = await routingReport(pool, { organization, range });
        return { start_date: range.start, end_date: range.end, ...report };
      },
    );
  };
}
