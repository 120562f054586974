import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { resolvePolicy } from '../../config/policy/resolve.ts';
import type { Config } from '../../config/schema.ts';
import { recommend } from '../../recommendations/recommend.ts';
import { recommendationTypes } from '../../recommendations/recommendation.ts';
import type { Pricer } from '../../usage/price.ts';
import { principalOf } from '../access.ts';
import { Problem } from '../problem.ts';
import type { ControlServices } from '../services.ts';
import { readPolicy, resolvedDocument } from '../store/policies.ts';
import { callsQuery, count, rangeOf } from './analytics-query.ts';

const { start_date, end_date, timezone } = callsQuery;
const query = z.strictObject({ start_date, end_date, timezone });
const usd = z.string().describe('USD, decimal');
const facts = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]));

const recommendation = z.object({
  id: z.string().describe('The same for the same finding.'),
  type: z.enum(recommendationTypes),
  title: z.string(),
  potential_savings_usd: usd.describe('What it would have saved in the period, by its calls. USD, decimal'),
  calls: count.describe('Calls that it is about.'),
  first_at: z.date(),
  last_at: z.date(),
  evidence: facts.describe('What it rests on.'),
  groups: z.array(facts).describe('Its greatest parts.'),
  exchanges: z.array(z.string()).describe('Ids of the exchanges that would have saved the most.'),
  change: z
    .object({
      method: z.literal('PATCH'),
      path: z.literal('/policy'),
      body: z.record(z.string(), z.unknown()),
    })
    .nullable()
    .describe('The one call that does it; null: no policy can, see `advice`.'),
  advice: z.string(),
});

/** Requests that wait their turn: one goes through a whole period, and has the database to itself. */
const maxWaiting = 8;

/** One thing after the other; a Problem for those who would have to wait for too many. */
function createQueue(most: number) {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (waiting >= most)
      throw new Problem(503, 'busy', 'others ask for recommendations: come again', { 'retry-after': '10' });
    waiting++;
    const mine = last.then(work).finally(() => waiting--);
    last = mine.catch(() => {});
    return mine;
  };
}

/** What would have cost less. */
export function recommendationRoutes(
  { pool, defaults, world, now }: ControlServices,
  { config, pricer }: { config: Pick<Config, 'providers' | 'models'>; pricer: Pricer },
): FastifyPluginAsyncZod {
  const one = createQueue(maxWaiting);
  return async (api) => {
    api.get(
      '/analytics/recommendations',
      {
        schema: {
          summary: 'What would have cost less, how much, and the change of the policy that does it',
          tags: ['analytics'],
          querystring: query,
          response: {
            200: z.object({
              start_date: z.date(),
              end_date: z.date(),
              recommendations: z.array(recommendation),
              total_potential_savings_usd: usd.describe(
                'Of a call that several are about, the most is counted. USD, decimal',
              ),
            }),
          },
        },
      },
      async (request) => {
        const { organization } = principalOf(request);
        const range = rangeOf(request.query, now());
        const [{ document }, { hasKey }] = await Promise.all([
          readPolicy(pool, organization),
          world(organization),
        ]);
        const { recommendations, total_potential_savings_usd } = await one(() =>
          recommend(pool, {
            organization,
            range,
            zone: request.query.timezone,
            policy: resolvePolicy(defaults.policy, document),
            document: resolvedDocument(defaults, document),
            providers: config.providers,
            models: config.models,
            pricer,
            hasKey,
          }),
        );
        return {
          start_date: range.start,
          end_date: range.end,
          recommendations: recommendations.map(({ patch, ...told }) => ({
            ...told,
            change: patch && { method: 'PATCH' as const, path: '/policy' as const, body: patch },
          })),
          total_potential_savings_usd,
        };
      },
    );
  };
}
