import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { mergePatch } from '../../config/policy/merge-patch.ts';
import { policySchema } from '../../config/policy/policy.ts';
import { principalOf } from '../access.ts';
import { finding } from '../findings.ts';
import { pageOf, pageQuery } from '../paging.ts';
import type { ControlServices } from '../services.ts';
import { readOrganization } from '../store/organization.ts';
import {
  listVersions,
  policyVersion,
  readPolicy,
  readVersion,
  resolvedDocument,
  type SaveRequest,
  savePolicy,
} from '../store/policies.ts';

const document = z.record(z.string(), z.unknown());
const policy = policyVersion.extend({
  document: document.describe('As it was given.'),
  resolved: document.describe('With all that it leaves open as the defaults of weir.yaml have it.'),
});
const current = policy.extend({ declared: z.boolean().describe('weir.yaml has it: it is changed there.') });
const saved = policy.extend({
  changed: z.boolean().describe('Whether it is another document than the one in force before.'),
  dry_run: z.boolean(),
  warnings: z.array(finding).describe('What may not be meant.'),
});

const byVersion = z.object({ version: z.coerce.number().int().min(1).max(2_147_483_647) });
const saveQuery = z.strictObject({
  dry_run: z.stringbool().default(false).describe('Says what would be; puts nothing in force.'),
});
const saveHeaders = z.looseObject({
  'if-match': z
    .string()
    .regex(/^(\d{1,9}|"\d{1,9}"|\*)$/, 'expected a version such as "3"')
    .optional()
    .describe('The version that must be in force still, as `ETag` told it; another: 409.'),
});
/** Any body is taken, and checked as a policy with all that is wrong at once: src/config/policy/check.ts. */
const policyBody = z.unknown().meta(z.toJSONSchema(policySchema, { io: 'input', unrepresentable: 'any' }));

interface HowToSave extends Pick<SaveRequest, 'action' | 'make' | 'dryRun'> {
  ifMatch: string | undefined;
}

function sentWith(request: {
  query: z.output<typeof saveQuery>;
  headers: z.output<typeof saveHeaders>;
}): Pick<HowToSave, 'ifMatch' | 'dryRun'> {
  return { ifMatch: request.headers['if-match'], dryRun: request.query.dry_run };
}

/** What the organization has decided, in versions. */
export function policyRoutes({ pool, change, world, defaults }: ControlServices): FastifyPluginAsyncZod {
  async function save(request: FastifyRequest, { ifMatch = '*', ...how }: HowToSave) {
    const expected = ifMatch === '*' ? null : Number(ifMatch.replaceAll('"', ''));
    const context = { defaults, world: await world(principalOf(request).organization) };
    const result = await change(request, (each) => savePolicy(each, context, { ...how, expected }));
    return { ...withResolved(result), dry_run: how.dryRun };
  }
  function withResolved<T extends { document: unknown }>(row: T) {
    return { ...row, document: Object(row.document), resolved: resolvedDocument(defaults, row.document) };
  }

  return async (api) => {
    api.addContentTypeParser(
      'application/merge-patch+json',
      { parseAs: 'string' },
      api.getDefaultJsonParser('error', 'error'),
    );

    api.get(
      '/policy',
      { schema: { summary: 'The policy in force', tags: ['policy'], response: { 200: current } } },
      async (request, reply) => {
        const { organization } = principalOf(request);
        const [row, { declared }] = await Promise.all([
          readPolicy(pool, organization),
          readOrganization(pool, organization),
        ]);
        reply.header('etag', `"${row.version}"`);
        return { ...withResolved(row), declared };
      },
    );

    const saving = { config: { problems: [409, 422] as (409 | 422)[] } };
    api.put(
      '/policy',
      {
        ...saving,
        schema: {
          summary: 'Decide anew: what the document leaves open, the defaults decide',
          tags: ['policy'],
          querystring: saveQuery,
          headers: saveHeaders,
          body: policyBody,
          response: { 200: saved },
        },
      },
      async (request) =>
        save(request, { action: 'policy.set', make: () => request.body, ...sentWith(request) }),
    );

    api.patch(
      '/policy',
      {
        ...saving,
        schema: {
          summary: 'Change some of it, by a JSON merge patch (RFC 7396): null removes',
          tags: ['policy'],
          consumes: ['application/merge-patch+json', 'application/json'],
          querystring: saveQuery,
          headers: saveHeaders,
          body: document,
          response: { 200: saved },
        },
      },
      async (request) =>
        save(request, {
          action: 'policy.set',
          make: (before) => mergePatch(before, request.body),
          ...sentWith(request),
        }),
    );

    api.get(
      '/policy/versions',
      {
        schema: {
          summary: 'Every version there was, the newest first',
          tags: ['policy'],
          querystring: z.strictObject(pageQuery),
          response: { 200: pageOf('versions', policyVersion) },
        },
      },
      async (request) => {
        const { organization } = principalOf(request);
        const { rows, next_cursor } = await listVersions(pool, organization, request.query);
        return { versions: rows, next_cursor };
      },
    );

    api.get(
      '/policy/versions/:version',
      {
        schema: {
          summary: 'One version',
          tags: ['policy'],
          params: byVersion,
          response: { 200: policy },
        },
      },
      async (request) => {
        const { organization } = principalOf(request);
        return withResolved(await readVersion(pool, organization, request.params.version));
      },
    );

    api.post(
      '/policy/versions/:version/restore',
      {
        ...saving,
        schema: {
          summary: 'Put a version in force again, as a new one',
          tags: ['policy'],
          params: byVersion,
          querystring: saveQuery,
          headers: saveHeaders,
          response: { 200: saved },
        },
      },
      async (request) => {
        const { organization } = principalOf(request);
        const { document: before } = await readVersion(pool, organization, request.params.version);
        return save(request, { action: 'policy.restore', make: () => before, ...sentWith(request) });
      },
    );
  };
}
