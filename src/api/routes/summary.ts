import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { promptCacheSavings } from '../../analytics/prompt-cache.ts';
import { summary } from '../../analytics/summary.ts';
import type { Pool } from '../../db/pool.ts';
import type { Pricer } from '../../usage/price.ts';
import { principalOf } from '../access.ts';
import { callsOf, callsQuery, count, money } from './analytics-query.ts';

const ms = z.number().nullable().describe('Milliseconds.');
const period = z.object({
  calls: count,
  hits: count,
  coalesced: count,
  errors: count,
  hit_rate: z.number().nullable().describe('Answers of weir’s own among all calls, from 0 to 1.'),
  input_tokens: count,
  output_tokens: count,
  cache_read_tokens: count,
  cost_usd: money,
  tool_usd: money,
  unpriced: count,
  saved_usd: money,
  baseline_usd: money,
  saved_by_cache_usd: money,
  saved_by_coalescing_usd: money,
  p50_ms: ms,
  p95_ms: ms,
  p99_ms: ms,
  first_chunk_p50_ms: ms,
});
const reply = z.object({
  start_date: z.date(),
  end_date: z.date(),
  ...period.shape,
  saved_by_prompt_cache_usd: money.describe(
    'What reads of the providers’ prompt caches cost less than other input.',
  ),
  before: period.describe('The period of the same length before.'),
});

/** What a period came to, against the one before. */
export function summaryRoutes(
  pool: Pool,
  options: { now: () => number; pricer: Pricer },
): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/analytics/summary',
      {
        schema: {
          summary: 'Spend, savings, latency and errors, against the period before',
          tags: ['analytics'],
          querystring: z.strictObject(callsQuery),
          response: { 200: reply },
        },
      },
      async (request) => {
        const { organization } = principalOf(request);
        const query = { organization, ...callsOf(request.query, options.now()) };
        const [periods, saved] = await Promise.all([
          summary(pool, query),
          promptCacheSavings(pool, query, options.pricer),
        ]);
        return {
          start_date: query.range.start,
          end_date: query.range.end,
          ...periods.now,
          saved_by_prompt_cache_usd: saved,
          before: periods.before,
        };
      },
    );
  };
}
