import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { principalOf } from '../access.ts';
import { pageOf, pageQuery } from '../paging.ts';
import type { ControlServices } from '../services.ts';
import {
  binding,
  changeBinding,
  createBinding,
  listBindings,
  readBinding,
  removeBinding,
} from '../store/bindings.ts';
import { byId, id, tags } from '../values.ts';

const glob = z
  .string()
  .regex(/^[a-z0-9.*?-]{1,253}$/, 'expected a name of Kubernetes, or a glob of such')
  .describe('`*` stands for any characters, `?` for one.');
const providerKey = id.nullable().describe('The provider key that these workloads use; null: any.');

/** Which workloads belong to the organization. */
export function bindingRoutes({ pool, change }: ControlServices): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/bindings',
      {
        schema: {
          summary: 'The bindings of workloads, the newest first',
          tags: ['bindings'],
          querystring: z.strictObject(pageQuery),
          response: { 200: pageOf('bindings', binding) },
        },
      },
      async (request) => {
        const { organization } = principalOf(request);
        const { rows, next_cursor } = await listBindings(pool, organization, request.query);
        return { bindings: rows, next_cursor };
      },
    );

    api.get(
      '/bindings/:id',
      { schema: { summary: 'One binding', tags: ['bindings'], params: byId, response: { 200: binding } } },
      async (request) => readBinding(pool, principalOf(request).organization, request.params.id),
    );

    api.post(
      '/bindings',
      {
        config: { problems: [409] },
        schema: {
          summary: 'Bind workloads to the organization; not such as another one has',
          tags: ['bindings'],
          body: z.strictObject({
            cluster: glob.default('*'),
            namespace: glob,
            service_account: glob.default('*'),
            tags: tags.default({}),
            provider_key: providerKey.default(null),
          }),
          response: { 201: binding },
        },
      },
      async (request, reply) =>
        reply.status(201).send(await change(request, (each) => createBinding(each, request.body))),
    );

    api.patch(
      '/bindings/:id',
      {
        config: { problems: [409] },
        schema: {
          summary: 'Change a binding',
          tags: ['bindings'],
          params: byId,
          body: z.strictObject({
            cluster: glob.optional(),
            namespace: glob.optional(),
            service_account: glob.optional(),
            tags: tags.optional(),
            provider_key: providerKey.optional(),
          }),
          response: { 200: binding },
        },
      },
      async (request) => change(request, (each) => changeBinding(each, request.params.id, request.body)),
    );

    api.delete(
      '/bindings/:id',
      {
        config: { problems: [409] },
        schema: {
          summary: 'Remove a binding',
          tags: ['bindings'],
          params: byId,
          response: { 204: z.null().describe('Removed') },
        },
      },
      async (request, reply) => {
        await change(request, (each) => removeBinding(each, request.params.id));
        return reply.status(204).send(null);
      },
    );
  };
}
