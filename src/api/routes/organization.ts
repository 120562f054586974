import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { principalOf } from '../access.ts';
import type { ControlServices } from '../services.ts';
import { organization, readOrganization, renameOrganization } from '../store/organization.ts';
import { label } from '../values.ts';

/** The organization of the key. */
export function organizationRoutes({ pool, change }: ControlServices): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/organization',
      { schema: { summary: 'The organization', tags: ['organization'], response: { 200: organization } } },
      async (request) => readOrganization(pool, principalOf(request).organization),
    );

    api.patch(
      '/organization',
      {
        config: { problems: [409] },
        schema: {
          summary: 'Call it otherwise',
          tags: ['organization'],
          body: z.strictObject({ name: label }),
          response: { 200: organization },
        },
      },
      async (request) => change(request, (each) => renameOrganization(each, request.body.name)),
    );
  };
}
