import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { principalOf } from '../access.ts';
import { pageOf, pageQuery } from '../paging.ts';
import type { ControlServices } from '../services.ts';
import { deed, listActivity } from '../store/activity.ts';
import { id } from '../values.ts';

/** What was changed, by whom. */
export function activityRoutes({ pool }: ControlServices): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/activity',
      {
        schema: {
          summary: 'Who changed what, when and from where, the newest first',
          tags: ['activity'],
          querystring: z.strictObject({
            ...pageQuery,
            actor: id.optional(),
            action: id.optional(),
            target: id.optional(),
          }),
          response: { 200: pageOf('activity', deed) },
        },
      },
      async (request) => {
        const { actor = null, action = null, target = null, ...page } = request.query;
        const { organization } = principalOf(request);
        const { rows, next_cursor } = await listActivity(pool, { organization, actor, action, target, page });
        return { activity: rows, next_cursor };
      },
    );
  };
}
