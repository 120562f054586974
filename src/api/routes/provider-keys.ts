import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { name } from '../../config/values.ts';
import { principalOf } from '../access.ts';
import { refuseFindings, wrongNames } from '../findings.ts';
import { pageOf, pageQuery } from '../paging.ts';
import type { ControlServices } from '../services.ts';
import {
  addProviderKey,
  listProviderKeys,
  providerKey,
  readProviderKey,
  revokeProviderKey,
} from '../store/provider-keys.ts';
import { byId, id, label } from '../values.ts';

/** What a header can carry. */
const secret = z
  .string()
  .trim()
  .min(1)
  .max(8192)
  .regex(/^[\x21-\x7e]+$/, 'expected a key without spaces and line breaks')
  .refine((text) => !/^weir_/i.test(text), 'this is a key of weir, not of the provider')
  .describe('As the provider gave it. Encrypted where it is kept, and never told again.');

/** The providers’ keys of the organization, put in at egress. */
export function providerKeyRoutes({ pool, change, keyring, world }: ControlServices): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/provider-keys',
      {
        schema: {
          summary: 'The providers’ keys, the newest first, by their last characters',
          tags: ['provider-keys'],
          querystring: z.strictObject({
            ...pageQuery,
            provider: id.optional(),
            revoked: z.stringbool().default(false).describe('Revoked ones as well.'),
          }),
          response: { 200: pageOf('provider_keys', providerKey) },
        },
      },
      async (request) => {
        const { provider = null, revoked, ...page } = request.query;
        const { organization } = principalOf(request);
        const { rows, next_cursor } = await listProviderKeys(pool, { organization, provider, revoked, page });
        return { provider_keys: rows, next_cursor };
      },
    );

    api.get(
      '/provider-keys/:id',
      {
        schema: {
          summary: 'One provider’s key, by its last characters',
          tags: ['provider-keys'],
          params: byId,
          response: { 200: providerKey },
        },
      },
      async (request) => readProviderKey(pool, principalOf(request).organization, request.params.id),
    );

    api.post(
      '/provider-keys',
      {
        config: { problems: [422] },
        schema: {
          summary: 'Add a provider’s key',
          tags: ['provider-keys'],
          body: z.strictObject({ provider: name, name: label, key: secret }),
          response: { 201: providerKey },
        },
      },
      async (request, reply) => {
        const { provider } = request.body;
        const known = await world(principalOf(request).organization);
        refuseFindings('provider_unknown', wrongNames(known, { provider }));
        const added = await change(request, (each) => addProviderKey(each, keyring, request.body));
        return reply.status(201).send(added);
      },
    );

    api.delete(
      '/provider-keys/:id',
      {
        schema: {
          summary: 'Revoke a provider’s key: it is used no more, and destroyed',
          tags: ['provider-keys'],
          params: byId,
          response: { 204: z.null().describe('Revoked') },
        },
      },
      async (request, reply) => {
        await change(request, (each) => revokeProviderKey(each, request.params.id));
        return reply.status(204).send(null);
      },
    );
  };
}
