import type { JsonObject } from '../json.ts';
import type { TokenUsage } from '../usage.ts';

/** Counts in the words of Chat or of Responses; what was not told is 0, as OpenAI tells it. */
export function writeUsage(usage: TokenUsage, form: 'chat' | 'responses'): JsonObject {
  const [input, output] = [usage.input ?? 0, usage.output ?? 0];
  const cached = {
    cached_tokens: usage.cacheRead ?? 0,
    ...(usage.cacheWrite !== null && { cache_write_tokens: usage.cacheWrite }),
    ...(usage.inputAudio !== null && { audio_tokens: usage.inputAudio }),
  };
  const made = {
    reasoning_tokens: usage.reasoning ?? 0,
    ...(usage.outputAudio !== null && { audio_tokens: usage.outputAudio }),
  };
  return form === 'chat'
    ? {
        prompt_tokens: input,
        completion_tokens: output,
        total_tokens: input + output,
        prompt_tokens_details: cached,
        completion_tokens_details: made,
      }
    : {
        input_tokens: input,
        input_tokens_details: cached,
        output_tokens: output,
        output_tokens_details: made,
        total_tokens: input + output,
      };
}
