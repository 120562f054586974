import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { alertFilters, alertTypeNames, alertTypes } from '../../alerts/alert.ts';
import { findAlert } from '../../alerts/check.ts';
import { addDeliveries, retryDelivery } from '../../alerts/deliveries.ts';
import { createAlertStore, listDeliveries } from '../../alerts/store.ts';
import { isTimeZone } from '../../analytics/zone.ts';
import { principalOf } from '../access.ts';
import { Problem } from '../problem.ts';
import type { ControlServices } from '../services.ts';

const decimal = z
  .union([z.string(), z.number().transform(String)])
  .refine((text) => /^\d{1,12}(\.\d{1,12})?$/.test(text) && Number(text) > 0, 'expected a number above 0');
const webhook = z.url({ protocol: /^https?$/, error: 'expected a URL such as https://hooks.example.com/…' });
const input = z.strictObject({
  name: z.string().min(1).max(200),
  alert_type: z.enum(alertTypeNames).describe(
    `What is watched: ${Object.entries(alertTypes)
      .map(([name, unit]) => `\`${name}\` (${unit})`)
      .join(', ')}.`,
  ),
  threshold_value: decimal.describe('From here on it is on.'),
  time_zone: z.string().refine(isTimeZone, 'expected a time zone such as Europe/Berlin').default('UTC'),
  filters: alertFilters.default({}),
  slack_webhook_url: webhook.nullish(),
  webhook_url: webhook.nullish(),
  email_addresses: z.array(z.email()).max(20).default([]),
  enabled: z.boolean().default(true),
});
const hasRecipient = (given: Partial<z.output<typeof input>>) =>
  (given.email_addresses?.length ?? 0) > 0 || given.slack_webhook_url || given.webhook_url;

const view = z.object({
  id: z.string(),
  name: z.string(),
  alert_type: z.enum(alertTypeNames),
  threshold_value: z.string(),
  time_zone: z.string(),
  filters: alertFilters,
  slack_webhook_url: z.string().nullable().describe('As far as it may be shown.'),
  webhook_url: z.string().nullable(),
  email_addresses: z.array(z.string()),
  enabled: z.boolean(),
  created_at: z.date(),
  firing_since: z.date().nullable(),
});
const delivery = z.object({
  id: z.int(),
  alert: z.string(),
  kind: z.string(),
  channel: z.string(),
  recipient: z.string(),
  state: z.enum(['pending', 'delivered', 'dead']),
  attempts: z.int(),
  last_error: z.string().nullable(),
  created_at: z.date(),
  delivered_at: z.date().nullable(),
});
const params = z.object({ id: z.string().max(100) });
const notFound = (id: string) => new Problem(404, 'not_found', `there is no alert ${id}`);

/** What an organization is told of, and what became of the messages. */
export function alertRoutes({ pool, change, keyring }: ControlServices): FastifyPluginAsyncZod {
  const tags = ['alerts'];
  const store = createAlertStore(pool, keyring);
  return async (api) => {
    api.get(
      '/alerts',
      { schema: { summary: 'All alerts', tags, response: { 200: z.object({ alerts: z.array(view) }) } } },
      async (request) => ({ alerts: await store.list(principalOf(request).organization) }),
    );

    api.post(
      '/alerts',
      {
        schema: {
          summary: 'Makes an alert; the secret that signs its webhook is told here alone',
          tags,
          body: input,
          response: { 201: view.extend({ webhook_secret: z.string().nullable() }) },
        },
      },
      async (request, reply) => {
        if (!hasRecipient(request.body))
          throw new Problem(400, 'no_recipient', 'give slack_webhook_url, webhook_url or email_addresses');
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
      { schema: { summary: 'One alert', tags, params, response: { 200: view } } },
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
              Object.entries(input.shape).map(([name, schema]) => [name, unwrapDefault(schema).optional()]),
            ) as { [K in keyof typeof input.shape]: z.ZodOptional<(typeof input.shape)[K]> },
          ),
          response: { 200: view },
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
          if (!hasRecipient(after)) {
            const detail = 'leave one of slack_webhook_url, webhook_url, email_addresses';
            throw new Problem(400, 'no_recipient', detail);
          }
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
