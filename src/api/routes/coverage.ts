import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { coverage } from '../../analytics/coverage.ts';
import type { Pool } from '../../db/pool.ts';
import { principalOf } from '../access.ts';

const row = z.object({
  workload: z.string().describe('cluster/namespace/service account'),
  host: z.string(),
  inspected: z.number().describe('Connections whose calls were read'),
  refused: z
    .number()
    .describe(
      'Connections that the client ended because it did not take weir’s certificate: by a TLS alert, or without a word right after the handshake',
    ),
  passed: z.number().describe('Connections that passed unread'),
  last_at: z.date(),
});

/** What is seen of LLM traffic in Kubernetes, and what is not. */
export function coverageRoutes(pool: Pool, now: () => number): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/coverage',
      {
        schema: {
          summary: 'What sidecars see of LLM traffic, and what they do not',
          tags: ['kubernetes'],
          querystring: z.strictObject({
            days: z.coerce.number().int().min(1).max(400).default(30).describe('How far back'),
          }),
          response: { 200: z.object({ coverage: z.array(row) }) },
        },
      },
      async (request) => {
        const { organization } = principalOf(request);
        return { coverage: await coverage(pool, { organization, days: request.query.days, now: now() }) };
      },
    );
  };
}
