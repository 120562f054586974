import { cacheKey } from '../cache/key.ts';
import { answerHeaders, answerPath } from '../dialects/answer-key.ts';
import type { RequestFacts } from '../dialects/dialect.ts';
import { ownCredentials } from '../identity/credentials.ts';
import type { Arrival } from './arrival.ts';
import type { RequestHead } from './messages.ts';
import type { Services } from './services.ts';

/** Amazon signs each request anew: what signs it names nobody. */
const signature = /^AWS4-/;

/** Equal for calls that may have one answer; null: the caller cannot be told from others, nothing is shared. */
export function keyOf(
  call: { head: RequestHead; arrival: Arrival; facts: RequestFacts },
  fingerprint: Services['fingerprint'],
): string | null {
  const { head, arrival, facts } = call;
  const own =
    arrival.policy.cache.share === 'organization' || arrival.ownCredential === null
      ? []
      : ownCredentials(head.headers, head.path);
  if (own.some((credential) => signature.test(credential))) return null;
  const headers = [...answerHeaders.keys()].flatMap((name) => {
    const value = head.headers.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return cacheKey({
    organization: arrival.caller.organization,
    credential: own.length === 0 ? null : fingerprint(JSON.stringify(own)),
    provider: arrival.target.provider,
    server: new URL(arrival.provider.base_url).origin,
    dialect: arrival.dialect?.name ?? '',
    operation: arrival.dialect?.operation ?? '',
    path: answerPath(arrival.target.path),
    request: facts.hash,
    headers: Object.fromEntries(headers),
  });
}
