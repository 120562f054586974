import { reasons } from '../reuse.ts';

/** What neither chat nor Responses count. */
export const labelsAndTransport: readonly [string, string][] = [
  ['stream', reasons.stream],
  ['stream_options', 'the form of a stream: whether it tells its usage, and padding'],
  ['metadata', 'labels for the lists of the provider'],
  ['user', reasons.user],
  ['safety_identifier', reasons.user],
  ['prompt_cache_key', reasons.promptCache],
  ['prompt_cache_retention', reasons.promptCache],
  ['service_tier', reasons.tier],
];
