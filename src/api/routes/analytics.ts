import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { breakdown, groupNames } from '../../analytics/breakdown.ts';
import { isDate, readRange } from '../../analytics/dates.ts';
import { decodeCursor, encodeCursor, findExchange, listExchanges } from '../../analytics/exchanges.ts';
import type { Pool } from '../../db/pool.ts';
import type { createAuthenticate } from '../auth.ts';
import { Problem } from '../problem.ts';

const date = z
  .string()
  .refine(isDate, 'expected a day such as 2026-11-23, or an instant such as 2026-11-23T10:00:00Z')
  .describe('A day, meant with all its hours, or an instant. UTC.');
const money = z.string().nullable().describe('USD, decimal; null: not known');
const count = z.int();
const range = { start_date: date.optional(), end_date: date.optional() };

const group = z.enum(groupNames, { error: `allowed are ${groupNames.join(', ')}` });
const breakdownQuery = z.strictObject({
  ...range,
  group_by: z
    .string()
    .default('model')
    .transform((text) => text.split(',').map((each) => each.trim()))
    .pipe(z.array(group).min(1))
    .describe(`One or several of ${groupNames.join(', ')}, with commas between`),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
});
const breakdownReply = z.object({
  start_date: z.date(),
  end_date: z.date(),
  rows: z.array(
    z.object({
      group: z.record(z.string(), z.string().nullable()),
      calls: count,
      hits: count,
      errors: count,
      input_tokens: count,
      output_tokens: count,
      cost_usd: money,
      tool_usd: money,
      saved_usd: money,
      unpriced: count,
      p50_ms: z.number().nullable(),
      p95_ms: z.number().nullable(),
    }),
  ),
});

const exchange = z.object({
  id: z.string(),
  started_at: z.date(),
  organization: z.string(),
  user: z.string().nullable(),
  workload: z.string().nullable(),
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
  duration_ms: z.number(),
  first_chunk_ms: z.number().nullable(),
  attempts: count,
});
const text = z.string().min(1).max(500).optional();
const exchangesQuery = z.strictObject({
  ...range,
  provider: text,
  model: text,
  outcome: text,
  cache: text,
  user: text,
  cursor: text,
  limit: z.coerce.number().int().min(1).max(1000).default(100),
});

/** The ledger and its sums, of the organization of the key. */
export function analyticsRoutes(
  pool: Pool,
  authenticate: ReturnType<typeof createAuthenticate>,
  now: () => number,
): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/analytics/breakdown',
      {
        schema: {
          summary: 'Calls, tokens and money by group',
          tags: ['analytics'],
          querystring: breakdownQuery,
          response: { 200: breakdownReply },
        },
      },
      async (request) => {
        const { organization } = await authenticate(request);
        const { group_by, limit } = request.query;
        const time = rangeOf(request.query, now());
        const rows = await breakdown(pool, {
          organization,
          range: time,
          groupBy: [...new Set(group_by)],
          limit,
        });
        return { start_date: time.start, end_date: time.end, rows };
      },
    );

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
        const { organization } = await authenticate(request);
        const { cursor, limit, start_date: _s, end_date: _e, ...filter } = request.query;
        const place = cursor === undefined ? null : decodeCursor(cursor);
        if (cursor !== undefined && !place)
          throw new Problem(400, 'invalid_parameter', 'cursor: expected a next_cursor of this list');
        const time = rangeOf(request.query, now());
        const page = await listExchanges(pool, { organization, range: time, filter, cursor: place, limit });
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
          response: { 200: exchange },
        },
      },
      async (request) => {
        const { organization } = await authenticate(request);
        const found = await findExchange(pool, organization, request.params.id);
        if (!found) throw new Problem(404, 'not_found', `there is no exchange ${request.params.id}`);
        return found;
      },
    );
  };
}

function rangeOf(query: { start_date?: string | undefined; end_date?: string | undefined }, now: number) {
  const time = readRange({ start: query.start_date, end: query.end_date }, now);
  if (time.start >= time.end)
    throw new Problem(400, 'invalid_parameter', 'start_date: expected a time before end_date');
  return time;
}
