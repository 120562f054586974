import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { traceOf } from '../../analytics/traces.ts';
import type { Pool } from '../../db/pool.ts';
import { principalOf } from '../access.ts';
import { Problem } from '../problem.ts';
import { money } from './analytics-query.ts';

const span = z.object({
  span_id: z.string(),
  parent_span_id: z.string().nullable(),
  name: z.string(),
  kind: z.int().describe('As OTLP numbers it: 1 internal, 2 server, 3 client, 4 producer, 5 consumer.'),
  service: z.string().nullable(),
  started_at: z.date(),
  duration_ms: z.number(),
  failed: z.boolean(),
  attributes: z.record(z.string(), z.unknown()),
  exchange: z.string().nullable().describe('Of a call of a model: its id in the ledger.'),
  cost_usd: money,
});

/** Traces: exchanges, and with `collector.traces` the spans of applications around them. */
export function traceRoutes(pool: Pool): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/analytics/traces/:id',
      {
        schema: {
          summary: 'The spans of a trace, with the exchanges in it',
          tags: ['analytics'],
          params: z.object({ id: z.string().regex(/^[0-9a-f]{1,32}$/, 'a trace id: 32 hexadecimal digits') }),
          response: { 200: z.object({ trace_id: z.string(), spans: z.array(span) }) },
        },
      },
      async (request) => {
        const { id } = request.params;
        const spans = await traceOf(pool, principalOf(request).organization, id);
        if (spans.length === 0) throw new Problem(404, 'not_found', `there is no trace ${id}`);
        return { trace_id: id, spans };
      },
    );
  };
}
