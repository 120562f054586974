import type { DeclaredOrganization } from '../config/organizations.ts';
import { declaredBindingId, declaredKeyId } from './declare.ts';
import type { IdentityFacts } from './facts.ts';

/** What weir.yaml declares, over what was known before. */
export function declaredFacts(
  known: IdentityFacts,
  organizations: readonly DeclaredOrganization[],
): IdentityFacts {
  const declared = organizations.map(factsOf);
  const keys = declared.flatMap((each) => each.keys);
  const bindings = declared.flatMap((each) => each.bindings);
  const ids = new Set([...keys, ...bindings, ...declared].map(({ id }) => id));
  return {
    ...known,
    keys: [...known.keys.filter(({ id }) => !ids.has(id)), ...keys],
    bindings: [...known.bindings.filter(({ id }) => !ids.has(id)), ...bindings],
    policies: [
      ...known.policies.filter(({ organization }) => !ids.has(organization)),
      ...declared.map(({ id, document }) => ({ organization: id, document })),
    ],
  };
}

function factsOf({ id, policy, keys, bindings }: DeclaredOrganization) {
  return {
    id,
    document: policy,
    keys: keys.map((key) => ({
      id: declaredKeyId(key.hash),
      organization: id,
      hash: key.hash,
      tags: key.tags,
      callerTags: key.caller_tags,
      models: key.models ?? null,
      providers: key.providers ?? null,
      expiresAt: key.expires === undefined ? null : Date.parse(key.expires),
    })),
    bindings: bindings.map((binding) => ({
      id: declaredBindingId(binding),
      organization: id,
      cluster: binding.cluster,
      namespace: binding.namespace,
      serviceAccount: binding.service_account,
      tags: binding.tags,
      providerKey: null,
    })),
  };
}
