import { createKeyring } from '../../src/config/keyring.ts';
import { builtinProviders, configSchema } from '../../src/config/schema.ts';
import { modelRefusal, providerRefusal } from '../../src/exchange/allowed.ts';
import { identify as callerOf } from '../../src/exchange/caller.ts';
import { findCredential, withoutKeyHeaders, withoutKeys } from '../../src/identity/credentials.ts';
import { makeKey } from '../../src/identity/keys.ts';
import { createSnapshot } from '../../src/identity/snapshot.ts';

/** Microseconds of CPU a call: who calls by a weir key, may they, and which key goes to the provider. */
export function identify(): string {
  const made = Array.from({ length: 10_000 }, () => makeKey('call'));
  const identity = createSnapshot(
    {
      version: 1,
      hashKey: '',
      keys: made.map(({ id, hash }, index) => ({
        id,
        organization: `organization-${index % 100}`,
        hash: hash.toString('hex'),
        tags: { team: 'search' },
        callerTags: true,
        models: ['gpt-*', 'claude-*'],
        providers: null,
        expiresAt: null,
      })),
      policies: Array.from({ length: 100 }, (_, index) => ({
        organization: `organization-${index}`,
        document: { models: ['o?', 'gemini-*', 'gpt-4o*'] },
      })),
      providerKeys: [],
      bindings: [],
    },
    {
      defaults: configSchema.parse({}).defaults,
      providers: configSchema.parse({ providers: { openai: { ...builtinProviders.openai, api_key: 'k' } } })
        .providers,
      keyring: createKeyring([{ id: 'bench', key: Buffer.alloc(32) }]),
      now: Date.now,
      before: null,
      warn: () => {},
    },
  );
  const calls = 200_000;
  const heads = made.map(
    ({ secret }) =>
      new Map([
        ['authorization', `Bearer ${secret}`],
        ['content-type', 'application/json'],
        ['user-agent', 'OpenAI/JS 7.57.0'],
        ['accept', 'application/json'],
      ]),
  );
  const before = process.cpuUsage();
  for (let at = 0; at < calls; at++) {
    const headers = heads[at % heads.length] ?? new Map<string, string>();
    const found = findCredential(headers, '/v1/chat/completions');
    const who = callerOf(found, null, identity);
    if (who.kind === 'refused') throw new Error('a key of the bench is not known');
    const access = identity.access(who.caller);
    identity.policy(who.caller.organization);
    if (
      providerRefusal(access, 'openai') ||
      modelRefusal({ access }, 'gpt-4o-mini') ||
      !access.providerKey('openai')
    )
      throw new Error('a call of the bench is refused');
    withoutKeyHeaders(headers, 'all');
    withoutKeys('/v1/chat/completions', 'all');
  }
  const { user, system } = process.cpuUsage(before);
  return `${((user + system) / calls).toFixed(2)} µs`;
}
