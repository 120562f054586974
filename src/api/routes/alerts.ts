import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { findAlert } from '../../alerts/check.ts';
import { addDeliveries, retryDelivery } from '../../alerts/deliveries.ts';
import { createAlertStore, listDeliveries } from '../../alerts/store.ts';
import { principalOf } from '../access.ts';
import { Problem } from '../problem.ts';
import type { ControlServices } from '../services.ts';
import { alertInput, alertView, delivery, refuseIdle } from './alert-forms.ts';

const params = z.object({ id: z.string().max(100) });
const notFound = (id: string) => new Problem(404, 'not_found', `there is no alert ${id}`);

/** What an organization is told of, and what became of the messages. */
export function alertRoutes({ pool, change, keyring }: ControlServices): FastifyPluginAsyncZod {
  const tags = ['alerts'];
  const store = createAlertStore(pool, keyring);
  return async (api) => {
    api.get(
      '/alerts',
      {
        schema: { summary: 'All alerts', tags, response: { 200: z.object({ alerts: z.array(alertView) }) } },
      },
      async (request) => ({ alerts: await store.list(principalOf(request).organization) }),
    );

    api.post(
      '/alerts',
      {
        schema: {
          summary: 'Makes an alert; the secret that signs its webhook is told here alone',
          tags,
          body: alertInput,
          response: { 201: alertView.extend({ webhook_secret: z.string().nullable() }) },
        },
      },
      async (request, reply) => {
        refuseIdle(request.body);
        const made = await change(request, async ({ client, by, actor }) => {
          const changing = createAlertStore(client, keyring);
          const { id, secret } = await changing.create(by.organization, request.body, actor);
          const alert = await changing.find(by.organization, id);
          if (!alert) throw notFound(id);
          return {
            result: { ...alert, webhook_secret: secret },
            deed: { action: 'alert.create', target: id, details: { name: alert.name } },
          };
        });
        return reply.status(201).send(made);
      },
    );

    api.get(
      '/alerts/:id',
      { schema: { summary: 'One alert', tags, params, response: { 200: alertView } } },
      async (request) => {
        const { organization } = principalOf(request);
        const found = await store.find(organization, request.params.id);
        if (!found) throw notFound(request.params.id);
        return found;
      },
    );

    api.patch(
      '/alerts/:id',
      {
        schema: {
          summary: 'Changes what is given; null takes a webhook away',
          tags,
          params,
          body: z.strictObject(
            Object.fromEntries(
              Object.entries(alertInput.shape).map(([name, schema]) => [
                name,
                unwrapDefault(schema).optional(),
              ]),
            ) as { [K in keyof typeof alertInput.shape]: z.ZodOptional<(typeof alertInput.shape)[K]> },
          ),
          response: { 200: alertView },
        },
      },
      async (request) => {
        const { id } = request.params;
        return change(request, async ({ client, by, actor }) => {
          const changing = createAlertStore(client, keyring);
          const before = await changing.find(by.organization, id);
          if (!before) throw notFound(id);
          const given = Object.fromEntries(
            Object.entries(request.body).filter(([, value]) => value !== undefined),
          );
          const after = { ...before, ...given };
          refuseIdle(after);
          const { slack_webhook_url, webhook_url } = request.body;
          await changing.update(by.organization, id, { ...after, slack_webhook_url, webhook_url }, actor);
          const result = await changing.find(by.organization, id);
          if (!result) throw notFound(id);
          // Webhooks are secrets: what was changed is told by its name.
          const details = { changed: Object.keys(given) };
          return { result, deed: { action: 'alert.change', target: id, details } };
        });
      },
    );

    api.delete(
      '/alerts/:id',
      { schema: { summary: 'Removes an alert', tags, params, response: { 204: z.null() } } },
      async (request, reply) => {
        const { id } = request.params;
        await change(request, async ({ client, by }) => {
          if (!(await createAlertStore(client, keyring).remove(by.organization, id))) throw notFound(id);
          return { result: undefined, deed: { action: 'alert.remove', target: id } };
        });
        return reply.status(204).send(null);
      },
    );

    api.post(
      '/alerts/:id/test',
      {
        schema: {
          summary: 'Sends a test to each of its addresses',
          tags,
          params,
          response: { 202: z.object({ deliveries: z.array(z.int()) }) },
        },
      },
      async (request, reply) => {
        const { id } = request.params;
        const deliveries = await change(request, async ({ client, by }) => {
          const alert = await findAlert(client, by.organization, id);
          if (!alert) throw notFound(id);
          const result = await addDeliveries(client, alert, 'test', null);
          return { result, deed: { action: 'alert.test', target: id } };
        });
        return reply.status(202).send({ deliveries });
      },
    );

    api.post(
      '/alerts/:id/secret',
      {
        schema: {
          summary: 'A new secret for its webhook; the old one is void',
          tags,
          params,
          response: { 200: z.object({ webhook_secret: z.string() }) },
        },
      },
      async (request) => {
        const { id } = request.params;
        return change(request, async ({ client, by }) => {
          const secret = await createAlertStore(client, keyring).renewSecret(by.organization, id);
          if (secret === null)
            throw new Problem(404, 'not_found', `there is no alert ${id} with a webhook_url`);
          return { result: { webhook_secret: secret }, deed: { action: 'alert.renew_secret', target: id } };
        });
      },
    );

    api.get(
      '/alerts/deliveries',
      {
        schema: {
          summary: 'The last 200 messages; `state=dead` those that were given up',
          tags,
          querystring: z.strictObject({ state: z.enum(['pending', 'delivered', 'dead']).optional() }),
          response: { 200: z.object({ deliveries: z.array(delivery) }) },
        },
      },
      async (request) => {
        const { organization } = principalOf(request);
        const found = await listDeliveries(pool, organization, request.query.state ?? null);
        return { deliveries: z.array(delivery).parse(found) };
      },
    );

    api.post(
      '/alerts/deliveries/:id/retry',
      {
        schema: {
          summary: 'Tries a message again that was given up',
          tags,
          params: z.object({ id: z.coerce.number().int().positive() }),
          response: { 202: z.object({ id: z.int() }) },
        },
      },
      async (request, reply) => {
        const { id } = request.params;
        await change(request, async ({ client, by }) => {
          if (!(await retryDelivery(client, by.organization, id)))
            throw new Problem(404, 'not_found', `there is no dead delivery ${id}`);
          return { result: undefined, deed: { action: 'alert.retry', target: String(id) } };
        });
        return reply.status(202).send({ id });
      },
    );
  };
}

function unwrapDefault(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodDefault ? (schema.unwrap() as z.ZodType) : schema;
}
