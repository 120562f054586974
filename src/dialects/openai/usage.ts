import { asObject, asString, firstCount, type JsonObject } from '../json.ts';
import { noUsage, type TokenUsage } from '../usage.ts';

/**
 * The `usage` object of the OpenAI family in normal form; null when it tells no counts. Chat says
 * prompt and completion, Responses input and output. Cached reads stand in another place with Together,
 * Mistral and DeepSeek. Providers that leave reasoning out of `completion_tokens` (Google's
 * OpenAI-compatible endpoint) have it in `total_tokens`.
 */
export function readUsage(value: unknown): TokenUsage | null {
  const usage = asObject(value);
  if (!usage) return null;
  const input = firstCount(usage.prompt_tokens, usage.input_tokens);
  const told = firstCount(usage.completion_tokens, usage.output_tokens);
  if (input === null && told === null) return null;
  const total = firstCount(usage.total_tokens);
  const output = total !== null && input !== null && total > input + (told ?? 0) ? total - input : told;
  const prompt = asObject(usage.prompt_tokens_details) ?? asObject(usage.input_tokens_details);
  const completion = asObject(usage.completion_tokens_details) ?? asObject(usage.output_tokens_details);
  const cached = asObject(prompt?.cached_tokens_details);
  return {
    ...noUsage,
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
    inputImage: firstCount(prompt?.image_tokens),
    outputAudio: firstCount(completion?.audio_tokens),
    outputImage: firstCount(completion?.image_tokens),
    cacheReadAudio: firstCount(cached?.audio_tokens),
    cacheReadImage: firstCount(cached?.image_tokens),
  };
}

/** What the provider says it cost: OpenRouter in USD, xAI in ticks of 1e-10 USD. */
export function readReportedCost(value: unknown): string | null {
  const usage = asObject(value);
  const ticks = firstCount(usage?.cost_in_usd_ticks);
  if (ticks !== null) return decimal(ticks / 1e10);
  const cost = usage?.cost;
  return typeof cost === 'number' && cost >= 0 && Number.isFinite(cost) ? decimal(cost) : null;
}

/** Without an exponent. */
function decimal(value: number): string {
  return value.toFixed(12).replace(/\.?0+$/, '');
}

/** The type of an error body: `{error: {type | code}}`, with `{message}` and `{detail}` forms as `error`. */
export function errorType(reply: JsonObject, isAnswer: boolean): string | null {
  const error = asObject(reply.error);
  if (error) return asString(error.code) ?? asString(error.type) ?? 'error';
  if (asString(reply.error) !== null) return 'error';
  return !isAnswer && (reply.message !== undefined || reply.detail !== undefined) ? 'error' : null;
}
