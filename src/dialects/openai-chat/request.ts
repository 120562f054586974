import { createHash } from 'node:crypto';
import type { PromptText, RequestFacts } from '../dialect.ts';
import { asArray, asObject, asString, canonicalJson, firstCount, parseJson } from '../json.ts';

export function readRequest(body: Uint8Array): RequestFacts | null {
  const request = asObject(parseJson(body));
  if (!request) return null;
  return {
    model: asString(request.model),
    stream: request.stream === true,
    user: asString(request.user),
    maxOutputTokens: firstCount(request.max_completion_tokens, request.max_tokens),
    reasoningEffort: asString(request.reasoning_effort) ?? asString(asObject(request.reasoning)?.effort),
    hash: createHash('sha256').update(canonicalJson(request)).digest('hex'),
  };
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
  const add = (value: unknown) => {
    if (typeof value === 'string' && value !== '') texts.push(value);
  };
  for (const each of asArray(request?.messages)) {
    const message = asObject(each);
    if (!message) continue;
    overhead += message.name === undefined ? 3 : 4;
    add(message.role);
    add(message.name);
    add(message.content);
    for (const part of asArray(message.content)) add(asObject(part)?.text);
    for (const call of asArray(message.tool_calls)) {
      const called = asObject(asObject(call)?.function);
      add(called?.name);
      add(called?.arguments);
    }
  }
  for (const tool of asArray(request?.tools)) texts.push(JSON.stringify(tool));
  return { texts, overhead };
}
