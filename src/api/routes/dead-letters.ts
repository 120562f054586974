import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { letterOf, type Retried } from '../../collector/letters.ts';
import { principalOf } from '../access.ts';
import { listPage, pageOf, pageQuery } from '../paging.ts';
import { Problem } from '../problem.ts';
import type { ControlServices } from '../services.ts';

const letter = z.object({
  id: z.int(),
  received_at: z.date(),
  reason: z.string().describe('What PostgreSQL, or the collector, found wrong.'),
  content: z
    .unknown()
    .describe('What was sent: a span with its attributes, or a line of Envoy’s access log.'),
});
const byId = z.object({ id: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER) });

/** Tries one again; null: the organization has none of this number. */
export type RetryLetter = (organization: string, id: number) => Promise<Retried | null>;

/** What was sent to the collector and could not become a row. */
export function deadLetterRoutes(
  { pool, change }: Pick<ControlServices, 'pool' | 'change'>,
  retry: RetryLetter,
): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/dead-letters',
      {
        schema: {
          summary: 'What could not become a row of the ledger, and why',
          tags: ['ledger'],
          querystring: z.strictObject(pageQuery),
          response: { 200: pageOf('dead_letters', letter) },
        },
      },
      async (request) => {
        const { rows, next_cursor } = await listPage<z.output<typeof letter>>(pool, {
          sql: `SELECT id, received_at, reason, span AS content FROM dead_letters WHERE ${letterOf} = $1`,
          values: [principalOf(request).organization],
          order: { id: 'bigint' },
          page: request.query,
        });
        return { dead_letters: rows, next_cursor };
      },
    );

    api.post(
      '/dead-letters/:id/retry',
      {
        config: { problems: [422] },
        schema: {
          summary: 'Try one again',
          tags: ['ledger'],
          params: byId,
          response: { 204: z.null().describe('It is taken, and a dead letter no more') },
        },
      },
      async (request, reply) => {
        const { id } = request.params;
        const retried = await retry(principalOf(request).organization, id);
        if (!retried) throw new Problem(404, 'not_found', `there is no dead letter ${id}`);
        if (retried.kind === 'refused') throw new Problem(422, 'refused_again', retried.reason);
        await change(request, async () => ({
          result: null,
          deed: { action: 'dead_letter.retry', target: String(id) },
        }));
        return reply.status(204).send(null);
      },
    );
  };
}
