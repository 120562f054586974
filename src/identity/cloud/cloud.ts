import { setTimeout } from 'node:timers/promises';
import type { AwsCredentialIdentity } from '@smithy/types';
import type { Logger } from 'pino';
import type { Config, ProviderConfig } from '../../config/schema.ts';
import type { Identity } from '../identity.ts';
import { createKeeper, type Keeper } from './keeper.ts';
import { awsRegion, signAws } from './sign-aws.ts';
import { awsSource, azureSource, googleSource } from './sources.ts';

/** Calls wait for so long, at the start, for credentials to come. */
const startMs = 5_000;

/** What a request to be signed consists of. */
export interface Signed {
  method: string;
  path: string;
  body: Uint8Array;
}

/** Credentials that clouds give to machines, for providers of the config that ask for them (`auth`). */
export interface Cloud {
  /** What stands for the provider's key: a token, or the id of an access key; null: there is none now. */
  key(provider: string): string | null;
  /** The headers of a signed request; empty: this provider's are not signed. Rejects when there is no credential. */
  sign(provider: string, request: Signed): Promise<Record<string, string>>;
  stop(): void;
}

/** Asks for all of them before the first call; a cloud that does not answer is asked again. */
export async function startCloud(
  providers: Config['providers'],
  options: { now: () => number; random: () => number; log: Logger },
): Promise<Cloud> {
  const tokens = new Map<string, Keeper<string>>();
  const aws = new Map<string, { keeper: Keeper<AwsCredentialIdentity>; region: string; baseUrl: string }>();
  // Providers of one cloud share what it gives.
  const shared = new Map<string, Keeper<string>>();
  for (const [name, provider] of Object.entries(providers)) {
    const { auth } = provider;
    if (auth === 'aws') {
      const fetch = await awsSource(provider.profile);
      const keeper = createKeeper({ name, fetch, ...options });
      aws.set(name, { keeper, region: regionOf(provider), baseUrl: provider.base_url });
    } else if (auth) {
      const source = auth === 'google' ? googleSource : azureSource;
      const keeper = shared.get(auth) ?? createKeeper({ name: auth, fetch: await source(), ...options });
      shared.set(auth, keeper);
      tokens.set(name, keeper);
    }
  }
  const keepers = [...shared.values(), ...[...aws.values()].map(({ keeper }) => keeper)];
  const started = Promise.all(keepers.map((keeper) => keeper.start()));
  await Promise.race([started, setTimeout(startMs, null, { ref: false })]);

  return {
    key: (name) => tokens.get(name)?.current() ?? aws.get(name)?.keeper.current()?.accessKeyId ?? null,
    async sign(name, request) {
      const found = aws.get(name);
      if (!found) return {};
      const credentials = found.keeper.current();
      if (!credentials) throw new Error(`there are no AWS credentials for ${name}`);
      const { region, baseUrl } = found;
      return signAws({ ...request, credentials, region, baseUrl, now: options.now() });
    },
    stop() {
      for (const keeper of keepers) keeper.stop();
    },
  };
}

/** As the config says it, else the host; `weir check` has seen to it that one of them does. */
function regionOf({ region, base_url }: ProviderConfig): string {
  return region ?? awsRegion(base_url) ?? 'us-east-1';
}

/** An identity whose callers have the keys of clouds, where their organization has none of its own. */
export function withCloud(identity: Identity, cloud: Pick<Cloud, 'key'>): Identity {
  return {
    get anonymous() {
      return identity.anonymous;
    },
    policy: (organization) => identity.policy(organization),
    byWorkload: (workload) => identity.byWorkload(workload),
    byKey: (key, workload) => identity.byKey(key, workload),
    access(caller) {
      const access = identity.access(caller);
      return { ...access, providerKey: (name) => access.providerKey(name) ?? cloud.key(name) };
    },
  };
}
