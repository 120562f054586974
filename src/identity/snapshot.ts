import { hash } from 'node:crypto';
import type { Keyring } from '../config/keyring.ts';
import type { Policy } from '../config/policy/policy.ts';
import { resolvePolicy } from '../config/policy/resolve.ts';
import type { Config } from '../config/schema.ts';
import { createBindings } from './bindings.ts';
import type { BindingFacts, IdentityFacts, KeyFacts, ProviderKeyFacts } from './facts.ts';
import type { Access, Caller, Identity } from './identity.ts';
import { defaultOrganization } from './store.ts';

/** What facts become by the config and the keys of this machine. */
export interface SnapshotOptions {
  defaults: Policy;
  providers: Config['providers'];
  keyring: Keyring;
  now: () => number;
  /** What was in force until now. */
  before: Identity | null;
  /** Something of the database is of no use: it is left out. */
  warn: (message: string, about: object) => void;
}

/** An identity that never changes: another state is another snapshot. */
export function createSnapshot(facts: IdentityFacts, options: SnapshotOptions): Identity {
  const { defaults, providers, now } = options;
  const keys = new Map(facts.keys.map((key) => [key.hash, { key, caller: callerOf(key) }]));
  const keysById = new Map(facts.keys.map((key) => [key.id, key]));
  const policies = readPolicies(facts, options);
  const secrets = openProviderKeys(facts.providerKeys, options);
  const bindingOf = createBindings(facts.bindings);
  const policy = (organization: string) => policies.get(organization) ?? defaults;

  return {
    anonymous: { organization: defaultOrganization, apiKey: null, workload: null, tags: {} },
    // A look-up by hash: how long it takes says nothing about the key.
    byKey(secret, workload = null) {
      const found = keys.get(hash('sha256', secret, 'hex'));
      if (!found || (found.key.expiresAt !== null && found.key.expiresAt <= now())) return null;
      const { caller } = found;
      if (workload === null) return caller;
      const binding = bindingOf(workload);
      const tags = binding?.organization === caller.organization ? { ...binding.tags, ...caller.tags } : null;
      return { ...caller, workload, ...(tags && { tags }) };
    },
    byWorkload(workload) {
      const binding = bindingOf(workload);
      return binding && { organization: binding.organization, apiKey: null, workload, tags: binding.tags };
    },
    access(caller) {
      const key = caller.apiKey === null ? undefined : keysById.get(caller.apiKey);
      const binding = caller.workload && bindingOf(caller.workload);
      const { organization } = caller;
      return {
        ...limitsOf(policy(organization), key),
        providerKey: (provider) =>
          secrets.bound(binding, organization, provider) ??
          secrets.newest(organization, provider) ??
          (providers[provider]?.api_key || null),
      };
    },
    policy,
  };
}

function callerOf({ organization, id, tags }: KeyFacts): Caller {
  return { organization, apiKey: id, workload: null, tags };
}

function limitsOf(policy: Policy, key: KeyFacts | undefined): Omit<Access, 'providerKey'> {
  const both = (ofPolicy: readonly string[], ofKey: readonly string[] | null | undefined) => [
    { by: 'policy' as const, globs: ofPolicy },
    ...(ofKey ? [{ by: 'key' as const, globs: ofKey }] : []),
  ];
  return {
    mayTag: key?.callerTags ?? true,
    providers: both(policy.providers, key?.providers),
    models: both(policy.models, key?.models),
  };
}

/** A document that a newer release wrote may be no policy here: then the one before it stays in force. */
function readPolicies(
  { policies }: IdentityFacts,
  { defaults, before, warn }: SnapshotOptions,
): Map<string, Policy> {
  const read = new Map<string, Policy>();
  for (const { organization, document } of policies) {
    try {
      read.set(organization, resolvePolicy(defaults, document));
    } catch (error) {
      if (before) read.set(organization, before.policy(organization));
      warn('the policy of an organization cannot be read: the one before it stays in force', {
        organization,
        reason: error instanceof Error ? error.message : String(error),
      });
    }
  }
  return read;
}

/** The providers' keys in clear: in memory, and nowhere else. */
function openProviderKeys(facts: readonly ProviderKeyFacts[], { keyring, warn }: SnapshotOptions) {
  const byId = new Map<string, { organization: string; provider: string; secret: string }>();
  const newest = new Map<string, string>();
  for (const { id, organization, provider, sealed } of facts) {
    const secret = keyring.open(Buffer.from(sealed, 'base64'), `provider_key:${id}`)?.toString('utf8');
    if (secret === undefined) {
      warn('a provider key cannot be opened: was it sealed with a key that is not here?', { id, provider });
      continue;
    }
    byId.set(id, { organization, provider, secret });
    const place = `${organization}\n${provider}`;
    if (!newest.has(place)) newest.set(place, secret);
  }
  return {
    newest: (organization: string, provider: string) => newest.get(`${organization}\n${provider}`) ?? null,
    /** The key that a binding names, when it is one of this organization for this provider. */
    bound(binding: BindingFacts | null, organization: string, provider: string) {
      const key = binding?.providerKey == null ? undefined : byId.get(binding.providerKey);
      return key?.organization === organization && key.provider === provider ? key.secret : null;
    },
  };
}
