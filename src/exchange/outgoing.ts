import type { ProviderConfig } from '../config/schema.ts';
import type { Target } from '../dialects/target.ts';
import { names } from '../envoy/inputs.ts';
import { credentialHeaders } from '../identity/credentials.ts';
import type { HeaderEdit, RequestHead } from './messages.ts';

/** Where each family of SDKs puts its key. */
const keyHeaders: Record<ProviderConfig['api'], (key: string) => Record<string, string>> = {
  openai: (key) => ({ authorization: `Bearer ${key}` }),
  anthropic: (key) => ({ 'x-api-key': key }),
  gemini: (key) => ({ 'x-goog-api-key': key }),
  bedrock: (key) => ({ authorization: `Bearer ${key}` }),
  cohere: (key) => ({ authorization: `Bearer ${key}` }),
};

/** How the head of a call is changed on its way to the provider. */
export function upstreamEdit(call: {
  head: RequestHead;
  target: Target;
  /** The provider whose key replaces the caller's; null: what the caller sent passes. */
  putIn: ProviderConfig | null;
  inspected: boolean;
}): HeaderEdit {
  const { head, target, putIn, inspected } = call;
  const set: Record<string, string> = {
    ':path': target.path,
    [names.clusterHeader]: names.providerCluster(target.provider),
    ...(putIn && keyHeaders[putIn.api](putIn.api_key)),
  };
  const remove = [...head.headers.keys()].filter(
    (name) =>
      name.startsWith('x-weir-') ||
      // A compressed reply cannot be read.
      (inspected && name === 'accept-encoding') ||
      (putIn && credentialHeaders.some((each) => each === name)),
  );
  return { set, remove: remove.filter((name) => !(name in set)) };
}
