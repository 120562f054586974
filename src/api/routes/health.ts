import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Pool } from '../../db/pool.ts';

/** Liveness and readiness, for probes: no key. */
export function healthRoutes(pool: Pool): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/healthz',
      {
        schema: {
          summary: 'This process lives',
          tags: ['health'],
          response: { 200: z.object({ status: z.literal('ok') }) },
        },
      },
      async () => ({ status: 'ok' as const }),
    );
    const readiness = z.object({ status: z.enum(['ready', 'not ready']), postgres: z.boolean() });
    api.get(
      '/readyz',
      {
        schema: {
          summary: 'It can do its work',
          tags: ['health'],
          response: { 200: readiness, 503: readiness },
        },
      },
      async (_request, reply) => {
        const postgres = await pool.query('SELECT 1').then(
          () => true,
          () => false,
        );
        return reply
          .status(postgres ? 200 : 503)
          .send({ status: postgres ? 'ready' : 'not ready', postgres });
      },
    );
  };
}
