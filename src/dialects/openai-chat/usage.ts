import { asObject, firstCount } from '../json.ts';
import type { TokenUsage } from '../usage.ts';

/**
 * The `usage` object in normal form; null when it tells no counts. Cached reads stand in another place
 * with Together, Mistral and DeepSeek. Providers that leave reasoning out of `completion_tokens`
 * (Google's OpenAI-compatible endpoint) have it in `total_tokens`.
 */
export function readUsage(value: unknown): TokenUsage | null {
  const usage = asObject(value);
  if (!usage) return null;
  const input = firstCount(usage.prompt_tokens);
  const told = firstCount(usage.completion_tokens);
  if (input === null && told === null) return null;
  const total = firstCount(usage.total_tokens);
  const output = total !== null && input !== null && total > input + (told ?? 0) ? total - input : told;
  const prompt = asObject(usage.prompt_tokens_details);
  const completion = asObject(usage.completion_tokens_details);
  return {
    input,
    output,
    cacheRead: firstCount(
      prompt?.cached_tokens,
      usage.cached_tokens,
      usage.num_cached_tokens,
      usage.prompt_cache_hit_tokens,
    ),
    cacheWrite: firstCount(prompt?.cache_write_tokens),
    reasoning: firstCount(completion?.reasoning_tokens),
    inputAudio: firstCount(prompt?.audio_tokens),
    outputAudio: firstCount(completion?.audio_tokens),
    cacheReadAudio: firstCount(asObject(prompt?.cached_tokens_details)?.audio_tokens),
  };
}
