import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { principalOf } from '../access.ts';
import { pageOf, pageQuery } from '../paging.ts';
import { roles } from '../roles.ts';
import type { ControlServices } from '../services.ts';
import { newApiKey } from '../store/keys.ts';
import { changeUser, inviteUser, listUsers, readUser, removeUser, user } from '../store/users.ts';
import { byId, label } from '../values.ts';

const role = z.enum(roles, { error: `expected one of ${roles.join(', ')}` });

/** The people of the organization. */
export function userRoutes({ pool, change }: ControlServices): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/users',
      {
        schema: {
          summary: 'The users, the newest first',
          tags: ['users'],
          querystring: z.strictObject(pageQuery),
          response: { 200: pageOf('users', user) },
        },
      },
      async (request) => {
        const { rows, next_cursor } = await listUsers(pool, principalOf(request).organization, request.query);
        return { users: rows, next_cursor };
      },
    );

    api.get(
      '/users/:id',
      { schema: { summary: 'One user', tags: ['users'], params: byId, response: { 200: user } } },
      async (request) => readUser(pool, principalOf(request).organization, request.params.id),
    );

    api.post(
      '/users',
      {
        config: { problems: [409] },
        schema: {
          summary: 'Invite a user: the answer has a key for them, which is not told again',
          tags: ['users'],
          body: z.strictObject({
            email: z.email('expected an e-mail address').max(254),
            name: label.optional(),
            role: role.describe('viewer reads, member also has keys of their own, admin may everything.'),
          }),
          response: { 201: z.object({ user, key: newApiKey }) },
        },
      },
      async (request, reply) => {
        const { email, name = '', role } = request.body;
        const invited = await change(request, (each) => inviteUser(each, { email, name, role }));
        return reply.status(201).send(invited);
      },
    );

    api.patch(
      '/users/:id',
      {
        config: { problems: [409] },
        schema: {
          summary: 'Change role or name; the last admin stays one',
          tags: ['users'],
          params: byId,
          body: z.strictObject({ name: label.optional(), role: role.optional() }),
          response: { 200: user },
        },
      },
      async (request) => change(request, (each) => changeUser(each, request.params.id, request.body)),
    );

    api.delete(
      '/users/:id',
      {
        config: { problems: [409] },
        schema: {
          summary: 'Remove a user and revoke all their keys; the last admin stays',
          tags: ['users'],
          params: byId,
          response: { 204: z.null().describe('Removed') },
        },
      },
      async (request, reply) => {
        await change(request, (each) => removeUser(each, request.params.id));
        return reply.status(204).send(null);
      },
    );
  };
}
