import type { Policy } from '../config/policy/policy.ts';
import type { ProviderConfig } from '../config/schema.ts';
import type { Dialect } from '../dialects/dialect.ts';
import type { Refusal } from '../dialects/errors.ts';
import { findDialect } from '../dialects/registry.ts';
import { familyOf, findTarget, type Target } from '../dialects/target.ts';
import { findCredential, withoutKeys } from '../identity/credentials.ts';
import type { Access, Caller } from '../identity/identity.ts';
import { identify } from './caller.ts';
import type { HeaderEdit, RequestHead } from './messages.ts';
import { upstreamEdit } from './outgoing.ts';
import type { Services } from './services.ts';

/** Who calls whom, and how: all that the head of a call tells. */
export interface Arrival {
  target: Target;
  provider: ProviderConfig;
  /** null: the call passes untouched. */
  dialect: Dialect | null;
  caller: Caller;
  access: Access;
  policy: Policy;
  /** The application's own credential, which passes through; null when weir puts one in or there is none. */
  ownCredential: string | null;
  /** The key of the house takes the place of the caller's. */
  putsIn: boolean;
  /** The credential that the provider gets. */
  credential: string | null;
  edit: HeaderEdit;
}

type Api = ProviderConfig['api'];
export type Arrived = { kind: 'arrived'; arrival: Arrival } | { kind: 'refused'; api: Api; refusal: Refusal };

/** A provider with the key that goes to it in the caller's name; empty: there is none. */
export function withKey(provider: ProviderConfig, name: string, access: Access): ProviderConfig {
  return { ...provider, api_key: access.providerKey(name) ?? '' };
}

/** A call that the provider gets no key of, and cannot go there; null: it can. */
export function missingKey({
  putsIn,
  provider,
  target,
}: Pick<Arrival, 'putsIn' | 'provider' | 'target'>): Refusal | null {
  if (!putsIn || provider.api_key !== '') return null;
  return {
    code: 'provider_key_missing',
    message: `weir has no key for the provider ${target.provider}: set providers.${target.provider}.api_key in weir.yaml, add a key of your organization's, or send the provider's own key.`,
  };
}

export function arrive(head: RequestHead, { providers, identity, redirects }: Services): Arrived {
  const target = findTarget(providers, head.path, head.headers.has('anthropic-version'));
  const provider = target && providers[target.provider];
  if (!target || !provider) {
    const api = familyOf(head.path) ?? 'openai';
    const known = Object.keys(providers).join(', ');
    return refused(
      api,
      'unknown_path',
      `No provider serves this path. Use /v1/… or /providers/<name>/… with one of: ${known}.`,
    );
  }
  const { api } = provider;

  const found = findCredential(head.headers, head.path);
  const who = identify(found, head.workload ?? null, identity);
  if (who.kind === 'refused') return { kind: 'refused', api, refusal: who.refusal };
  const { caller } = who;
  const access = identity.access(caller);
  const own = found.kind === 'none' ? null : found.kind === 'own' ? found.value : found.keepsOwn;
  const putsIn = own === null && found.kind !== 'none';
  const keyed = putsIn ? withKey(provider, target.provider, access) : provider;
  const spoken = head.headers.has('upgrade') ? undefined : findDialect(api, head.method, target.endpoint);
  // Without a body there is nothing to read, but for a later read of an answer.
  const dialect = spoken && head.ended === (spoken.later ?? false) ? spoken : undefined;
  const missing = missingKey({ putsIn, provider: keyed, target });
  // The model may be served by another provider.
  if (missing && !(dialect && redirects)) return { kind: 'refused', api, refusal: missing };
  const outgoing = { ...target, path: withoutKeys(target.path, putsIn ? 'all' : 'weir') };
  return {
    kind: 'arrived',
    arrival: {
      target: outgoing,
      provider: keyed,
      dialect: dialect ?? null,
      caller,
      access,
      policy: identity.policy(caller.organization),
      ownCredential: own,
      putsIn,
      credential: putsIn ? keyed.api_key : own,
      edit: upstreamEdit({
        head,
        target: outgoing,
        putIn: putsIn ? keyed : null,
        inspected: dialect !== undefined && !dialect.untouchable,
        plain: provider.base_url.startsWith('http:'),
      }),
    },
  };
}

function refused(api: Api, code: Refusal['code'], message: string): Arrived {
  return { kind: 'refused', api, refusal: { code, message } };
}
