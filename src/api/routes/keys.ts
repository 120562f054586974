import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { principalOf } from '../access.ts';
import { refuseFindings, wrongNames } from '../findings.ts';
import { pageOf, pageQuery } from '../paging.ts';
import { Problem } from '../problem.ts';
import { roles } from '../roles.ts';
import type { ControlServices } from '../services.ts';
import { apiKey, changeKey, createKey, listKeys, newApiKey, readKey, revokeKey } from '../store/keys.ts';
import { byId, expiry, globs, id, label, tags } from '../values.ts';

const ofCalls = {
  tags: tags.optional().describe('Put on each call of the key.'),
  caller_tags: z.boolean().optional().describe('Whether x-weir-tags may add to them. Default: yes.'),
  models: globs.nullable().optional().describe('Only these models (globs). null: what the policy allows.'),
  providers: globs
    .nullable()
    .optional()
    .describe('Only these providers (globs). null: as the policy has it.'),
};
const ofAll = { name: label, expires_at: expiry.optional() };
const user = id
  .optional()
  .describe(
    'Whose it is to be; an admin may name others. Default: a member’s own, an admin’s the organization’s.',
  );

const newKey = z.discriminatedUnion('scope', [
  z.strictObject({ scope: z.literal('call'), ...ofAll, user, ...ofCalls }),
  z.strictObject({
    scope: z.literal('api'),
    ...ofAll,
    user,
    role: z
      .enum(roles)
      .optional()
      .describe('At most that of who makes it and of its user, which is the default.'),
  }),
]);

/** Keys that make calls, and keys that ask the API. */
export function keyRoutes({ pool, change, world, now }: ControlServices): FastifyPluginAsyncZod {
  const refusePast = (expires: string | null | undefined) => {
    if (expires && Date.parse(expires) <= now())
      throw new Problem(400, 'invalid_parameter', 'expires_at: expected a time to come');
  };
  // Such a key could make no call.
  const refuseUnknown = async (request: FastifyRequest, names: Parameters<typeof wrongNames>[1]) =>
    refuseFindings('key_invalid', wrongNames(await world(principalOf(request).organization), names));

  return async (api) => {
    api.get(
      '/keys',
      {
        schema: {
          summary: 'The keys, the newest first',
          tags: ['keys'],
          querystring: z.strictObject({
            ...pageQuery,
            scope: z.enum(['call', 'api', 'admin']).optional(),
            user: id.optional().describe('Only those of this user.'),
            revoked: z.stringbool().default(false).describe('Revoked ones as well.'),
          }),
          response: { 200: pageOf('keys', apiKey) },
        },
      },
      async (request) => {
        const { scope = null, user = null, revoked, ...page } = request.query;
        const { organization } = principalOf(request);
        const { rows, next_cursor } = await listKeys(pool, { organization, scope, user, revoked, page });
        return { keys: rows, next_cursor };
      },
    );

    api.get(
      '/keys/:id',
      { schema: { summary: 'One key', tags: ['keys'], params: byId, response: { 200: apiKey } } },
      async (request) => readKey(pool, principalOf(request).organization, request.params.id),
    );

    api.post(
      '/keys',
      {
        config: { problems: [422] },
        schema: {
          summary: 'Make a key: its secret is told now and not again',
          tags: ['keys'],
          body: newKey,
          response: { 201: newApiKey },
        },
      },
      async (request, reply) => {
        refusePast(request.body.expires_at);
        if (request.body.scope === 'call') await refuseUnknown(request, request.body);
        return reply.status(201).send(await change(request, (each) => createKey(each, request.body)));
      },
    );

    api.patch(
      '/keys/:id',
      {
        config: { problems: [409, 422] },
        schema: {
          summary: 'Change what a key is called, is tagged with and may; scope and role stay',
          tags: ['keys'],
          params: byId,
          body: z.strictObject({ ...ofCalls, name: label.optional(), expires_at: expiry.optional() }),
          response: { 200: apiKey },
        },
      },
      async (request) => {
        refusePast(request.body.expires_at);
        await refuseUnknown(request, request.body);
        return change(request, (each) => changeKey(each, request.params.id, request.body));
      },
    );

    api.delete(
      '/keys/:id',
      {
        config: { problems: [409] },
        schema: {
          summary: 'Revoke a key, everywhere within two seconds',
          tags: ['keys'],
          params: byId,
          response: { 204: z.null().describe('Revoked') },
        },
      },
      async (request, reply) => {
        await change(request, (each) => revokeKey(each, request.params.id));
        return reply.status(204).send(null);
      },
    );
  };
}
