import { z } from 'zod';
import { policySchema } from './policy/policy.ts';
import { name } from './values.ts';

const glob = z.string().min(1).max(256);
const tagName = z.string().regex(/^[\w.-]{1,64}$/, 'letters, digits, dots, dashes and underscores');

const tags = z
  .record(tagName, z.string().max(256))
  .prefault({})
  .describe('Put on calls, such as `team: search`.');

const key = z.strictObject({
  name: name.describe('How people call the key.'),
  hash: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'the SHA-256 of the key in hex')
    .describe('SHA-256 of the key in hex: `printf %s "$KEY" | sha256sum`. The key itself stands nowhere.'),
  tags,
  caller_tags: z.boolean().default(true).describe('Whether `x-weir-tags` may add to them.'),
  models: z.array(glob).optional().describe('Only these models; globs.'),
  providers: z.array(glob).optional().describe('Only these providers; globs.'),
  expires: z.iso
    .datetime({ offset: true, error: 'a time such as 2027-01-31T00:00:00Z' })
    .optional()
    .describe('From then on it is refused.'),
});

const binding = z.strictObject({
  cluster: glob.default('*').describe('`workloads.cluster` of the weir that sees it; a glob.'),
  namespace: glob.describe('A glob.'),
  service_account: glob.default('*').describe('A glob.'),
  tags,
});

const organization = z.strictObject({
  id: name.describe('How everything names it.'),
  name: z.string().min(1).max(200).optional().describe('How people call it; default: its id.'),
  policy: policySchema.optional().describe('What it decides otherwise than `defaults`, key by key.'),
  bindings: z
    .array(binding)
    .prefault([])
    .describe('Workloads that belong to it. Of several that fit, the most exact counts.'),
  keys: z.array(key).prefault([]).describe('Keys that make calls.'),
});

/** Organizations that weir.yaml declares: the API shows them, and they are changed there alone. */
export const organizationsSchema = z
  .array(organization)
  .refine((list) => isUnique(list.map(({ id }) => id)), 'every organization needs its own id')
  .refine(
    (list) => isUnique(list.flatMap(({ keys }) => keys.map(({ hash }) => hash))),
    'every key needs its own hash',
  )
  .refine(
    (list) => isUnique(list.flatMap(({ bindings }) => bindings.map(placeOf))),
    'every binding needs its own cluster, namespace and service account',
  )
  .prefault([])
  .describe('Declared here, they are read-only in the API; others are made there.');

function placeOf({ cluster, namespace, service_account }: z.output<typeof binding>): string {
  return JSON.stringify([cluster, namespace, service_account]);
}

function isUnique(list: string[]): boolean {
  return new Set(list).size === list.length;
}

/** One as it is declared, its policy in the words of weir.yaml. */
export type DeclaredOrganization = Omit<z.output<typeof organization>, 'policy'> & { policy: unknown };

/** How workloads prove who they are. */
export const workloadsSchema = z
  .strictObject({
    jwks: z
      .string()
      .min(1)
      .optional()
      .describe(
        'The keys that service-account tokens are signed with: a URL, or a file. Without it no token is read.',
      ),
    issuer: z.string().optional().describe('What `iss` of a token must be; default: any.'),
    audience: z.string().min(1).default('weir').describe('What `aud` of a token must hold.'),
    cluster: name.default('default').describe('How this cluster is called, in bindings and in the ledger.'),
    ca_file: z.string().optional().describe('PEM file of the roots that vouch for the URL.'),
    token_file: z.string().optional().describe('A token that is sent to the URL, read anew each time.'),
  })
  .prefault({});
export type WorkloadsConfig = z.output<typeof workloadsSchema>;
