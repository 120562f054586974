import { z } from 'zod';

const globs = z.array(z.string().min(1).max(256)).min(1);

/** Which calls a limit or a budget is about. `*` stands for any characters, `?` for one. */
export const match = z
  .strictObject({
    models: globs.optional().describe('Only these models, as asked for; globs.'),
    providers: globs.optional().describe('Only these providers; globs.'),
    workloads: globs
      .optional()
      .describe('Only these workloads, as `cluster/namespace/service-account`; globs.'),
    users: globs.optional().describe('Only these end users; globs.'),
    tags: z
      .record(z.string().regex(/^[\w.-]{1,64}$/, 'the name of a tag'), globs)
      .optional()
      .describe('Only calls with these tags: a name and its values, as globs.'),
  })
  .describe('All that is said must hold.');

export type Match = z.output<typeof match>;

/** Whose calls are counted together. Calls without the value (no user, no such tag) are counted as one. */
export const per = z
  .string()
  .regex(
    /^(organization|api_key|user|workload|model|tag:[\w.-]{1,64})$/,
    'organization, api_key, user, workload, model or tag:<name>',
  );

export const perAddress = z
  .string()
  .regex(
    /^(ip|organization|api_key|user|workload|model|tag:[\w.-]{1,64})$/,
    'ip, organization, api_key, user, workload, model or tag:<name>',
  );
