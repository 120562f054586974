import { readPrompt as readMessages } from '../anthropic-messages/request.ts';
import { modelInPath } from '../bedrock-converse/request.ts';
import { reuse } from '../bedrock-converse/reuse.ts';
import type { PromptText, RequestFacts } from '../dialect.ts';
import { asArray, asObject, firstCount, parseJson } from '../json.ts';
import { readBody, requestFacts } from '../openai/request.ts';
import { present } from '../text.ts';

/**
 * Each vendor has a form of its own; they share little but where the model stands. A body
 * that cannot be read goes on as it came, since it is signed.
 */
export function readRequest(bytes: Uint8Array, endpoint: string): RequestFacts {
  const body = readBody(bytes) ?? { request: {}, text: '{}' };
  const { request } = body;
  return requestFacts(body, reuse, {
    model: modelInPath(endpoint),
    stream: /\/invoke-with-response-stream$/.test(endpoint),
    user: null,
    maxOutputTokens: firstCount(request.max_tokens, request.max_gen_len),
  });
}

/** Claude's messages, Cohere's texts, Titan's input, Llama's prompt. */
export function readPrompt(body: Uint8Array): PromptText {
  const request = asObject(parseJson(body));
  if (Array.isArray(request?.messages)) return readMessages(body);
  return { texts: present(request?.inputText, request?.prompt, ...asArray(request?.texts)), overhead: 0 };
}
