import { readUsage as readAnthropic } from '../anthropic-messages/usage.ts';
import { readUsage as readConverse } from '../bedrock-converse/usage.ts';
import { asCount, firstCount, type JsonObject } from '../json.ts';
import { readUsage as readOpenAi } from '../openai/usage.ts';
import { noUsage, type TokenUsage } from '../usage.ts';

/**
 * Usage where the vendor's own form has it: Claude's and OpenAI's `usage`, Nova's camel case, Llama's
 * and Titan's counts beside the text. null: it has none, as with Cohere's embeddings.
 */
export function readUsage(reply: JsonObject): TokenUsage | null {
  const { usage } = reply;
  const claude = reply.type === 'message' ? readAnthropic(usage).usage : null;
  const input = firstCount(reply.prompt_token_count, reply.inputTextTokenCount);
  const beside =
    input === null ? null : { ...noUsage, input, output: firstCount(reply.generation_token_count) ?? 0 };
  return claude ?? readConverse(usage) ?? readOpenAi(usage) ?? beside;
}

/** The counts that Bedrock tells in headers; its input leaves out what was read from and written to the cache. */
export function usageOfHeaders(headers: ReadonlyMap<string, string>): TokenUsage | null {
  const count = (name: string) => asCount(Number(headers.get(`x-amzn-bedrock-${name}`) ?? Number.NaN));
  const input = count('input-token-count');
  const output = count('output-token-count');
  if (input === null && output === null) return null;
  const cacheRead = count('cache-read-input-token-count');
  const cacheWrite = count('cache-write-input-token-count');
  return {
    ...noUsage,
    input: (input ?? 0) + (cacheRead ?? 0) + (cacheWrite ?? 0),
    output: output ?? 0,
    cacheRead,
    cacheWrite,
  };
}
