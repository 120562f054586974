import { type Policy, policySchema } from './policy.ts';

/**
 * The policy that a document makes of the defaults: what it says counts, what it leaves out stays. Lists
 * are replaced whole. Throws a ZodError when the document is no policy.
 */
export function resolvePolicy(defaults: Policy, document: unknown): Policy {
  return overlay(defaults, policySchema.parse(document), document) as Policy;
}

/** `parsed` where `given` says something, else `base`. */
function overlay(base: unknown, parsed: unknown, given: unknown): unknown {
  const [below, above, said] = [asRecord(base), asRecord(parsed), asRecord(given)];
  if (!below || !above || !said) return parsed;
  const entries = Object.keys(said).map((key) => [key, overlay(below[key], above[key], said[key])]);
  return { ...below, ...Object.fromEntries(entries) };
}

function asRecord(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null;
}
