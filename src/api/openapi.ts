import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type Access, ruleName } from './access.ts';
import { finding } from './findings.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Problems of this route's own, by their status. */
    problems?: (409 | 422)[];
  }
}

const problem = z
  .object({
    type: z.literal('about:blank'),
    title: z.string(),
    status: z.int(),
    code: z.string().describe('Stable: programs hold on to it.'),
    detail: z.string().describe('What is wrong, and the way out.'),
    errors: z.array(finding).optional().describe('Each thing that is wrong, where a body may have several.'),
    version: z.int().optional().describe('The version that is in force.'),
  })
  .meta({ id: 'Problem' });

const meanings: Record<number, string> = {
  400: 'The request is not understood',
  401: 'No key, or one that is unknown, revoked or expired',
  403: 'The key has not the role',
  404: 'The organization has no such thing',
  409: 'It does not go together with what is there',
  413: 'The body is larger than 1 MiB',
  415: 'The body is not JSON',
  422: 'It is understood and could not work',
  429: 'Too many unknown keys came from this address',
  500: 'weir failed',
  503: 'PostgreSQL does not answer',
};

/** Makes the description of all routes that are registered after it. Problems that any route may have are added. */
export async function describeApi(
  api: FastifyInstance,
  table: Readonly<Record<string, Access>>,
  version: string,
): Promise<void> {
  await api.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'weir',
        version,
        description: 'What LLM calls cost and where the money went; who may call, and what they may.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: {
        securitySchemes: {
          key: { type: 'http', scheme: 'bearer', description: 'weir_api_… or weir_admin_…' },
        },
      },
      security: [{ key: [] }],
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });
  api.addHook('onRoute', (route) => {
    if (!route.schema || route.schema.hide) return;
    const method = [route.method].flat()[0] ?? '';
    const role = table[ruleName(method, route.url)];
    const open = role === 'anyone';
    route.schema = {
      operationId: operationId(method, route.url),
      ...route.schema,
      ...(open ? { security: [] } : { description: `Takes the role ${role}.` }),
      response: { ...problemsOf(route, open), ...Object(route.schema.response) },
    };
  });
}

/** `PATCH /keys/:id` is `patchKeysId`: what generated clients call it. */
function operationId(method: string, url: string): string {
  return (
    method.toLowerCase() + url.replace(/[^a-z0-9]+([a-z0-9])/gi, (_, first: string) => first.toUpperCase())
  );
}

function problemsOf(
  route: { url: string; schema?: object; config?: { problems?: number[] } },
  open: boolean,
): Record<number, object> {
  const { params, querystring, body, headers } = Object(route.schema);
  const statuses = [
    ...(params || querystring || body || headers ? [400] : []),
    ...(open ? [] : [401, 403, 429]),
    ...(params ? [404] : []),
    ...(body ? [413, 415] : []),
    ...(route.config?.problems ?? []),
    500,
    503,
  ];
  const content = { 'application/problem+json': { schema: problem } };
  return Object.fromEntries(statuses.map((status) => [status, { description: meanings[status], content }]));
}
