import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { cacheTotals } from '../../analytics/cache.ts';
import { isDate } from '../../analytics/dates.ts';
import type { CacheAdmin, PurgeFilter } from '../../cache/admin.ts';
import { duration } from '../../config/values.ts';
import { principalOf } from '../access.ts';
import { Problem } from '../problem.ts';
import type { ControlServices } from '../services.ts';
import { rangeOf } from './analytics-query.ts';

const count = z.int();
const money = z.string().describe('USD, decimal');
const date = z
  .string()
  .refine(isDate, 'expected a day such as 2026-11-23')
  .describe('A day in UTC, meant with all its hours.');
const key = z.string().regex(/^[0-9a-f]{64}$/, 'the key that a reply tells in x-weir-cache-key');

const totals = z.object({
  start_date: z.date(),
  end_date: z.date(),
  answers: count.describe('Kept now.'),
  bytes: count,
  hits: count,
  coalesced: count.describe('Calls that got the answer of an equal call at the same time.'),
  misses: count,
  saved_tokens: count,
  saved_usd: money,
  would_be_hits: count.describe('In mode shadow.'),
  would_be_saved_tokens: count,
  would_be_saved_usd: money,
});

const answer = z.object({
  key,
  provider: z.string(),
  dialect: z.string(),
  requested_model: z.string().nullable(),
  model: z.string().nullable(),
  streamed: z.boolean(),
  stored_at: z.date(),
  expires_at: z.date(),
  bytes: count,
  hits: count,
  saved_tokens: count,
  saved_usd: money,
  last_hit_at: z.date().nullable(),
});

const flag = z.stringbool();
const dryRun = flag.default(false).describe('Only count.');
const purgeQuery = z.strictObject({
  model: z.string().min(1).max(256).optional().describe('As asked for, or as the provider names it.'),
  older_than: duration.optional().describe('Kept before that time, such as `24h`.'),
  everything: flag.default(false).describe('All that the organization has; must be said.'),
  dry_run: dryRun,
});
const purged = z.object({
  dry_run: z.boolean(),
  answers: count.describe('How many were meant.'),
  cold: count.describe('Of them in PostgreSQL.'),
  hot: count.nullable().describe('Of them in Redis; null: it is not used, or does not answer.'),
});

/** Kept answers of the organization of the key: what they saved, and how they are got rid of. */
export function cacheRoutes(
  options: Pick<ControlServices, 'pool' | 'change' | 'now'> & { cache: CacheAdmin },
): FastifyPluginAsyncZod {
  const { pool, change, now, cache } = options;

  async function purge(request: FastifyRequest, filter: PurgeFilter, dry_run: boolean) {
    const { organization } = principalOf(request);
    const meant = await cache.count(organization, filter);
    if (dry_run) return { dry_run, ...meant };
    const { key, model, storedBefore } = filter;
    const stored_before = storedBefore === null ? null : new Date(storedBefore).toISOString();
    const details = { model, stored_before, answers: meant.answers };
    const made = await change(request, async ({ client }) => ({
      result: await cache.purge(client, organization, filter),
      deed: { action: 'cache.purge', target: key, details },
    }));
    await cache.purgeHot(made);
    return { dry_run, ...meant };
  }

  return async (api) => {
    api.get(
      '/cache',
      {
        schema: {
          summary: 'What is kept, and what it saved',
          tags: ['cache'],
          querystring: z.strictObject({ start_date: date.optional(), end_date: date.optional() }),
          response: { 200: totals },
        },
      },
      async (request) => {
        const { organization } = principalOf(request);
        const range = rangeOf(request.query, now());
        const found = await cacheTotals(pool, organization, range);
        return { start_date: range.start, end_date: range.end, ...found };
      },
    );

    api.get(
      '/cache/:key',
      {
        schema: {
          summary: 'A kept answer, without what it says',
          tags: ['cache'],
          params: z.object({ key }),
          response: { 200: answer },
        },
      },
      async (request) => {
        const { organization } = principalOf(request);
        const found = await cache.find(organization, request.params.key);
        if (!found) throw new Problem(404, 'not_found', `no answer is kept by the key ${request.params.key}`);
        return found;
      },
    );

    api.delete(
      '/cache/:key',
      {
        schema: {
          summary: 'Lets go of one answer, everywhere within a second',
          tags: ['cache'],
          params: z.object({ key }),
          querystring: z.strictObject({ dry_run: dryRun }),
          response: { 200: purged },
        },
      },
      async (request) => {
        const { key } = request.params;
        // In any case: it may be on its way, or with processes that have it to themselves.
        const done = await purge(request, { key, model: null, storedBefore: null }, request.query.dry_run);
        if (done.answers === 0) throw new Problem(404, 'not_found', `no answer is kept by the key ${key}`);
        return done;
      },
    );

    api.delete(
      '/cache',
      {
        schema: {
          summary: 'Lets go of answers by model or age, or of all, everywhere within a second',
          tags: ['cache'],
          querystring: purgeQuery,
          response: { 200: purged },
        },
      },
      async (request) => {
        const { model = null, older_than, everything, dry_run } = request.query;
        if (everything === (model !== null || older_than !== undefined))
          throw new Problem(
            400,
            'invalid_parameter',
            'expected model or older_than or both, or everything=true',
          );
        const storedBefore = older_than === undefined ? null : now() - older_than;
        return purge(request, { key: null, model, storedBefore }, dry_run);
      },
    );
  };
}
