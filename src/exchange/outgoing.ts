import type { ProviderConfig } from '../config/schema.ts';
import type { Target } from '../dialects/target.ts';
import { names } from '../envoy/inputs.ts';
import { withoutKeyHeaders } from '../identity/credentials.ts';
import type { HeaderEdit, RequestHead } from './messages.ts';

/** Where each family of SDKs puts its key. */
const keyHeaders: Record<ProviderConfig['api'], string> = {
  openai: 'authorization',
  anthropic: 'x-api-key',
  gemini: 'x-goog-api-key',
  bedrock: 'authorization',
  cohere: 'authorization',
};

/** The key of the house, as the provider wants it. */
function keyHeader({ api, auth, api_key, base_url, key_header }: ProviderConfig): Record<string, string> {
  // Signed when the body is known.
  if (auth === 'aws') return {};
  if (auth) return { authorization: `Bearer ${api_key}` };
  const isAzure = /\.(openai|cognitiveservices|services\.ai)\.azure\.com$|\.azure-api\.net$/.test(
    new URL(base_url).hostname,
  );
  const name = key_header ?? (isAzure && api === 'openai' ? 'api-key' : keyHeaders[api]);
  return { [name]: name === 'authorization' ? `Bearer ${api_key}` : api_key };
}

/**
 * Providers that tell the usage of their streams unasked, or refuse to be asked: api.mistral.ai answered
 * `stream_options` with 422.
 */
const unasked = /(^|\.)(mistral\.ai|openrouter\.ai|groq\.com|x\.ai|perplexity\.ai)$/;

/** Whether streams of this provider are asked for their usage where the caller did not ask. */
export function asksUsage({ ask_usage, base_url }: ProviderConfig): boolean {
  return ask_usage ?? !unasked.test(new URL(base_url).hostname);
}

/** How the head of a call is changed on its way to the provider. */
export function upstreamEdit(call: {
  head: RequestHead;
  target: Target;
  /** The provider, with the key that replaces the caller's; null: what the caller sent passes. */
  putIn: ProviderConfig | null;
  inspected: boolean;
  /** There is no TLS, whose ALPN chooses the protocol. */
  plain: boolean;
}): HeaderEdit {
  const { head, target, putIn, inspected, plain } = call;
  const keys = withoutKeyHeaders(head.headers, putIn ? 'all' : 'weir');
  const isPlainGrpc = plain && head.headers.get('content-type')?.startsWith('application/grpc');
  const set: Record<string, string> = {
    ...keys.set,
    ':path': target.path,
    [names.clusterHeader]: isPlainGrpc
      ? names.grpcCluster(target.provider)
      : names.providerCluster(target.provider),
    ...(putIn && keyHeader(putIn)),
  };
  const remove = [...head.headers.keys()].filter(
    (name) =>
      name.startsWith('x-weir-') ||
      // A compressed reply cannot be read.
      (inspected && name === 'accept-encoding'),
  );
  return { set, remove: [...remove, ...keys.remove].filter((name) => !(name in set)) };
}
