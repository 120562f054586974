import type { PromptText, RequestFacts } from '../dialect.ts';
import { asArray, asObject, jsonText, parseJson } from '../json.ts';
import { readCompletionRequest } from '../openai/request.ts';
import { present } from '../text.ts';
import { reuse } from './reuse.ts';

export function readRequest(body: Uint8Array, endpoint: string): RequestFacts | null {
  return readCompletionRequest(body, endpoint, reuse);
}

/**
 * Text of the messages (string and part forms), names and tool calls, and the tools that are offered.
 * Beyond its text each message costs 3 tokens, a name 1, and the reply is primed with 3
 * (OpenAI Cookbook, "How to count tokens with tiktoken").
 */
export function readPrompt(body: Uint8Array): PromptText {
  const request = asObject(parseJson(body));
  const texts: string[] = [];
  let overhead = 3;
  for (const each of asArray(request?.messages)) {
    const message = asObject(each);
    if (!message) continue;
    overhead += message.name === undefined ? 3 : 4;
    texts.push(...present(message.role, message.name, message.content));
    for (const part of asArray(message.content)) texts.push(...present(asObject(part)?.text));
    for (const call of asArray(message.tool_calls)) {
      const called = asObject(asObject(call)?.function);
      texts.push(...present(called?.name, called?.arguments));
    }
  }
  for (const tool of asArray(request?.tools)) texts.push(jsonText(tool));
  return { texts, overhead };
}
