import { z } from 'zod';

const tags = z.record(z.string(), z.string());
const globs = z.array(z.string()).nullable();

/** A key that may make calls, as it stands in the database: not the key, but its hash. */
const keyFacts = z.object({
  id: z.string(),
  organization: z.string(),
  /** SHA-256 in hex. */
  hash: z.string(),
  tags,
  callerTags: z.boolean(),
  models: globs,
  providers: globs,
  /** Epoch milliseconds. */
  expiresAt: z.number().nullable(),
});
export type KeyFacts = z.output<typeof keyFacts>;

const providerKeyFacts = z.object({
  id: z.string(),
  organization: z.string(),
  provider: z.string(),
  /** As in the table: sealed for `provider_key:<id>`, in base64. */
  sealed: z.string(),
});
export type ProviderKeyFacts = z.output<typeof providerKeyFacts>;

const bindingFacts = z.object({
  id: z.string(),
  organization: z.string(),
  cluster: z.string(),
  namespace: z.string(),
  serviceAccount: z.string(),
  tags,
  providerKey: z.string().nullable(),
});
export type BindingFacts = z.output<typeof bindingFacts>;

/** All that a processor knows of callers, as plain data: what the database tells and the disk keeps. */
export const identityFacts = z.object({
  version: z.number(),
  /** Of fingerprints, in base64. */
  hashKey: z.string(),
  keys: z.array(keyFacts),
  /** The latest of each organization. */
  policies: z.array(z.object({ organization: z.string(), document: z.unknown() })),
  /** The newest first. */
  providerKeys: z.array(providerKeyFacts),
  bindings: z.array(bindingFacts),
});
export type IdentityFacts = z.output<typeof identityFacts>;
