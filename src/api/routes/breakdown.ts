import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  type BreakdownQuery,
  breakdown,
  intervals,
  type Order,
  orders,
  TooManyRows,
} from '../../analytics/breakdown.ts';
import { focusCsv } from '../../analytics/focus.ts';
import { groupNames, isGroup } from '../../analytics/groups.ts';
import { fillSeries } from '../../analytics/series.ts';
import { breakdownCsv } from '../../analytics/table.ts';
import type { Pool } from '../../db/pool.ts';
import { principalOf } from '../access.ts';
import { Problem } from '../problem.ts';
import { callsOf, callsQuery, count, money } from './analytics-query.ts';

const orderNames = Object.keys(orders) as [Order, ...Order[]];
const query = z.strictObject({
  ...callsQuery,
  group_by: z
    .string()
    .default('model')
    .transform((text) => [...new Set(text.split(',').map((each) => each.trim()))].filter(Boolean))
    .pipe(z.array(z.string().refine(isGroup, `allowed are ${groupNames.join(', ')}`)).max(5))
    .describe(
      `Up to five of ${groupNames.join(', ')}, with commas between; \`hour\` is the hour of the day; nothing: all in one.`,
    ),
  interval: z
    .enum(intervals)
    .optional()
    .describe('A series: each group once an interval, with zeros where there was nothing.'),
  order: z.enum(orderNames).default('cost').describe('The greatest first.'),
  limit: z.coerce.number().int().min(1).max(1000).default(100).describe('Groups at most.'),
  percentiles: z.stringbool().default(true).describe('Latencies; they take longer than sums.'),
});
const sums = {
  calls: count,
  hits: count,
  coalesced: count,
  errors: count,
  input_tokens: count,
  output_tokens: count,
  cache_read_tokens: count,
  cost_usd: money,
  tool_usd: money,
  saved_usd: money,
  baseline_usd: money.describe(
    'What the models asked for would have cost; of calls that were not routed, what they cost.',
  ),
  unpriced: count.describe('Calls with usage whose price is not known.'),
};
const reply = z.object({
  start_date: z.date(),
  end_date: z.date(),
  rows: z.array(
    z.object({
      group: z.record(z.string(), z.string().nullable()),
      time: z.date().nullable().describe('Of a series: where the interval begins.'),
      ...sums,
      p50_ms: z.number().nullable(),
      p95_ms: z.number().nullable(),
    }),
  ),
});

/** Sums by group, for programs and for spreadsheets. */
export function breakdownRoutes(pool: Pool, now: () => number): FastifyPluginAsyncZod {
  async function ask(organization: string, asked: z.output<typeof query>) {
    const question: BreakdownQuery = {
      organization,
      ...callsOf(asked, now()),
      groupBy: asked.group_by,
      interval: asked.interval ?? null,
      zone: asked.timezone,
      order: asked.order,
      limit: asked.limit,
      percentiles: asked.percentiles,
    };
    try {
      return { question, rows: await fillSeries(pool, await breakdown(pool, question), question) };
    } catch (error) {
      if (!(error instanceof TooManyRows)) throw error;
      throw new Problem(400, 'too_many_rows', 'interval: too many rows; take a longer one, or fewer groups');
    }
  }
  const tags = ['analytics'];
  return async (api) => {
    api.get(
      '/analytics/breakdown',
      {
        schema: {
          summary: 'Calls, tokens and money by group',
          tags,
          querystring: query,
          response: { 200: reply },
        },
      },
      async (request) => {
        const { organization } = principalOf(request);
        const { question, rows } = await ask(organization, request.query);
        return { start_date: question.range.start, end_date: question.range.end, rows };
      },
    );

    api.get(
      '/analytics/breakdown.csv',
      {
        schema: {
          summary: 'The same as CSV',
          tags,
          produces: ['text/csv'],
          querystring: query,
          response: { 200: z.string() },
        },
      },
      async (request, response) => {
        const { organization } = principalOf(request);
        const { question, rows } = await ask(organization, request.query);
        return response
          .type('text/csv')
          .send(breakdownCsv(rows, question.groupBy, question.interval !== null));
      },
    );

    api.get(
      '/analytics/focus.csv',
      {
        schema: {
          summary: 'Charges a day, with the columns of FOCUS 1.2',
          tags,
          produces: ['text/csv'],
          querystring: z.strictObject(callsQuery),
          response: { 200: z.string() },
        },
      },
      async (request, response) => {
        const { organization } = principalOf(request);
        const calls = callsOf(request.query, now());
        return response.type('text/csv').send(await focusCsv(pool, { organization, ...calls }));
      },
    );
  };
}
