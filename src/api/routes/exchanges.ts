import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  attemptsOf,
  decodeCursor,
  encodeCursor,
  findExchange,
  listExchanges,
} from '../../analytics/exchanges.ts';
import type { Pool } from '../../db/pool.ts';
import { principalOf } from '../access.ts';
import { Problem } from '../problem.ts';
import { callsOf, callsQuery, count, money } from './analytics-query.ts';

const exchange = z.object({
  id: z.string(),
  started_at: z.date(),
  organization: z.string(),
  user: z.string().nullable(),
  workload: z.string().nullable().describe('`cluster/namespace/service-account`.'),
  pod: z.string().nullable(),
  provider: z.string(),
  operation: z.string(),
  requested_model: z.string().nullable(),
  model: z.string().nullable(),
  outcome: z.string(),
  status: count.nullable(),
  error_code: z.string().nullable(),
  cache: z.string(),
  usage_source: z.string().nullable(),
  input_tokens: count.nullable(),
  output_tokens: count.nullable(),
  cache_read_tokens: count.nullable(),
  cache_write_tokens: count.nullable(),
  reasoning_tokens: count.nullable(),
  cost_usd: money.describe('What is billed of the list price of the tokens.'),
  list_usd: money.describe('List price of the tokens.'),
  cost_upper_usd: money.describe('At most this, where the provider may bill on after a hang-up.'),
  tool_usd: money.describe('List price of the provider’s own tools.'),
  reported_usd: money.describe('What the provider says it cost.'),
  cost_disputed: z.boolean().nullable().describe('It says more than 1 % more or less than the list.'),
  saved_usd: money,
  adjustment_usd: money.describe('What was added to cost_usd after its period was closed.'),
  duration_ms: z.number(),
  first_chunk_ms: z.number().nullable(),
  attempts: count.describe('How many providers it was given to, one after the other.'),
  complexity: z.string().nullable(),
  complexity_score: z.number().nullable().describe('By the trained scorer, where it was asked.'),
  routing_mode: z.string().nullable(),
  routing_model: z
    .string()
    .nullable()
    .describe('Chosen in place of the model asked for; null: it kept its own.'),
  routing_reason: z.string().nullable(),
  routing_usd: money.describe('In shadow: what the chosen model would have cost.'),
  baseline_model: z.string().nullable().describe('The model that the call is compared with.'),
  baseline_usd: money.describe('What that would have cost.'),
  baseline_source: z
    .string()
    .nullable()
    .describe('How its tokens are known: provider, counted or estimated.'),
  purpose: z.string().nullable().describe('Of weir’s own calls: replay or judge.'),
  purpose_of: z.string().nullable().describe('The exchange that such a call is about.'),
});
const retried = z.object({
  started_at: z.date(),
  duration_ms: z.number(),
  provider: z.string(),
  model: z.string().nullable(),
  status: count.nullable(),
  error_code: z.string().nullable().describe('Of the provider, or timeout, no_answer, broken_off.'),
  usage_source: z.string().nullable().describe('null: it was not billed.'),
  input_tokens: count.nullable(),
  cost_usd: money.describe('At least.'),
  cost_upper_usd: money.describe('At most.'),
});
const exchangesQuery = z.strictObject({
  ...callsQuery,
  cursor: z.string().min(1).max(500).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
});

/** The ledger, of the organization of the key. */
export function exchangeRoutes(pool: Pool, now: () => number): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/analytics/exchanges',
      {
        schema: {
          summary: 'The ledger, the newest first',
          tags: ['analytics'],
          querystring: exchangesQuery,
          response: { 200: z.object({ exchanges: z.array(exchange), next_cursor: z.string().nullable() }) },
        },
      },
      async (request) => {
        const { organization } = principalOf(request);
        const { cursor, limit } = request.query;
        const place = cursor === undefined ? null : decodeCursor(cursor);
        if (cursor !== undefined && !place)
          throw new Problem(400, 'invalid_parameter', 'cursor: expected a next_cursor of this list');
        const calls = callsOf(request.query, now());
        const page = await listExchanges(pool, { organization, ...calls, cursor: place, limit });
        return { exchanges: page.exchanges, next_cursor: page.next && encodeCursor(page.next) };
      },
    );

    api.get(
      '/analytics/exchanges/:id',
      {
        schema: {
          summary: 'One exchange, by the id that its caller got in x-weir-id',
          tags: ['analytics'],
          params: z.object({ id: z.guid() }),
          response: {
            200: exchange.extend({
              retried: z.array(retried).describe('What was tried before, and lies in the ledger as well.'),
            }),
          },
        },
      },
      async (request) => {
        const { organization } = principalOf(request);
        const found = await findExchange(pool, organization, request.params.id);
        if (!found) throw new Problem(404, 'not_found', `there is no exchange ${request.params.id}`);
        return { ...found, retried: await attemptsOf(pool, found) };
      },
    );
  };
}
