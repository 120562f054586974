import type { PromptText, RequestFacts } from '../dialect.ts';
import { asArray, asObject, asString, firstCount, type JsonObject, jsonText, parseJson } from '../json.ts';
import { modelOf, readBody, requestFacts } from '../openai/request.ts';
import { present } from '../text.ts';
import { reuse } from './reuse.ts';

export function readRequest(bytes: Uint8Array, endpoint: string): RequestFacts | null {
  const body = readBody(bytes);
  if (!body) return null;
  const { request } = body;
  return requestFacts(body, reuse, {
    model: modelOf(request, endpoint),
    user: asString(request.user) ?? asString(request.safety_identifier),
    maxOutputTokens: firstCount(request.max_output_tokens),
    reasoningEffort: asString(asObject(request.reasoning)?.effort),
  });
}

/** Instructions, the items of the input, and the tools that are offered. */
export function readPrompt(body: Uint8Array): PromptText {
  const request = asObject(parseJson(body));
  const items = asArray(request?.input).map(asObject);
  const tools = asArray(request?.tools).map((tool) => jsonText(tool));
  return {
    texts: [...present(request?.instructions, request?.input), ...items.flatMap(itemTexts), ...tools],
    overhead: 3 + 3 * Math.max(1, items.length),
  };
}

/** What an item of the input or of the output says: a message, a call, a result, a thought. */
export function itemTexts(item: JsonObject | null): string[] {
  if (!item) return [];
  const parts = [...asArray(item.content), ...asArray(item.summary)].map(asObject);
  return present(
    item.role,
    item.content,
    ...parts.flatMap((part) => [part?.text, part?.refusal]),
    item.name,
    item.arguments,
    item.output,
  );
}
