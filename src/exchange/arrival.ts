import type { Policy } from '../config/policy/policy.ts';
import type { ProviderConfig } from '../config/schema.ts';
import type { Dialect } from '../dialects/dialect.ts';
import type { Refusal } from '../dialects/errors.ts';
import { findDialect } from '../dialects/registry.ts';
import { familyOf, findTarget, interceptedTarget, type Target } from '../dialects/target.ts';
import { names } from '../envoy/inputs.ts';
import { findCredential, withoutKeys } from '../identity/credentials.ts';
import type { Access, Caller, Identity } from '../identity/identity.ts';
import { identify } from './caller.ts';
import type { HeaderEdit, RequestHead } from './messages.ts';
import { upstreamEdit } from './outgoing.ts';
import type { Services } from './services.ts';

/** Who calls whom, and how: all that the head of a call tells. */
export interface Arrival {
  target: Target;
  provider: ProviderConfig;
  /** The call came to `/v1/smart/completions`: weir chooses its model. */
  smart: boolean;
  /** The application meant to call the provider itself, and does not know of weir. */
  intercepted: boolean;
  /** null: the call passes untouched. */
  dialect: Dialect | null;
  caller: Caller;
  access: Access;
  policy: Policy;
  /** The application's own credential, which passes through; null when weir puts one in or there is none. */
  ownCredential: string | null;
  /** The credential that the provider gets. */
  credential: string | null;
  /** The provider's key is put in by weir. */
  putsKeyIn: boolean;
  edit: HeaderEdit;
}

type Api = ProviderConfig['api'];
export type Arrived = { kind: 'arrived'; arrival: Arrival } | { kind: 'refused'; api: Api; refusal: Refusal };

/** Intercepted for a provider that this processor does not know, or not yet: it goes on as it came. */
export function isUnknown({ headers }: RequestHead, providers: Services['providers']): boolean {
  const meant = headers.get(names.providerHeader);
  return meant !== undefined && !Object.hasOwn(providers, meant);
}

export function arrive(
  head: RequestHead,
  { providers, identity, intercepted }: Pick<Services, 'providers' | 'identity' | 'intercepted'>,
): Arrived {
  const meant = head.headers.get(names.providerHeader);
  const chat = meant === undefined ? smartPath(head.path) : null;
  const target =
    meant === undefined
      ? findTarget(providers, chat ?? head.path, head.headers.has('anthropic-version'))
      : interceptedTarget(providers, meant, head.path);
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
  const isPutIn = own === null && found.kind !== 'none';
  const key = isPutIn ? access.providerKey(target.provider) : null;
  const putIn = key === null ? null : { ...provider, api_key: key };

  const spoken = head.headers.has('upgrade') ? undefined : findDialect(api, head.method, target.endpoint);
  // Without a body there is nothing to read, but for a later read of an answer.
  const dialect = spoken && head.ended === (spoken.later ?? false) ? spoken : undefined;
  // Who serves a call whose body is read is known only then.
  if (isPutIn && key === null && !(dialect && !dialect.later))
    return { kind: 'refused', api, refusal: keyMissing(target.provider) };
  const outgoing = { ...target, path: withoutKeys(target.path, putIn ? 'all' : 'weir') };
  return {
    kind: 'arrived',
    arrival: {
      target: outgoing,
      smart: chat !== null,
      intercepted: meant !== undefined,
      provider,
      dialect: dialect ?? null,
      caller,
      access,
      policy:
        meant !== undefined && intercepted && !isClaimed(caller, identity)
          ? intercepted
          : identity.policy(caller.organization),
      ownCredential: own,
      credential: key ?? own,
      putsKeyIn: isPutIn,
      edit: upstreamEdit({
        head,
        target: outgoing,
        putIn,
        inspected: dialect !== undefined && !dialect.untouchable,
        plain: provider.base_url.startsWith('http:'),
      }),
    },
  };
}

/** Whether an organization knows of this caller: by a key, or by a binding of the workload. */
function isClaimed({ apiKey, workload }: Caller, identity: Pick<Identity, 'byWorkload'>): boolean {
  return apiKey !== null || (workload !== null && identity.byWorkload(workload) !== null);
}

/** The path of the chat behind `/v1/smart/completions`; null: it is another path. */
function smartPath(path: string): string | null {
  const [, before, query = ''] =
    /^((?:\/providers\/[^/?]+)?\/v1)\/smart\/completions(\?.*)?$/s.exec(path) ?? [];
  return before === undefined ? null : `${before}/chat/completions${query}`;
}

/** weir has no key to put in for a call. */
export function keyMissing(provider: string): Refusal {
  return {
    code: 'provider_key_missing',
    message: `weir has no key for the provider ${provider}: set providers.${provider}.api_key in weir.yaml, add a key of your organization's, or send the provider's own key.`,
  };
}

function refused(api: Api, code: Refusal['code'], message: string): Arrived {
  return { kind: 'refused', api, refusal: { code, message } };
}
