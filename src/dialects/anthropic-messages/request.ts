import type { PromptText, RequestFacts } from '../dialect.ts';
import { asArray, asObject, asString, firstCount, type JsonObject, jsonText, parseJson } from '../json.ts';
import { readBody, requestFacts } from '../openai/request.ts';
import { present } from '../text.ts';
import { reuse } from './reuse.ts';

export function readRequest(bytes: Uint8Array): RequestFacts | null {
  const body = readBody(bytes);
  if (!body) return null;
  const { request } = body;
  return requestFacts(body, reuse, {
    user: asString(asObject(request.metadata)?.user_id),
    maxOutputTokens: firstCount(request.max_tokens),
    reasoningEffort: asString(asObject(request.output_config)?.effort),
  });
}

/** System, messages and tools. Anthropic's tokenizer is not public: what is counted of it is an estimate. */
export function readPrompt(body: Uint8Array): PromptText {
  const request = asObject(parseJson(body));
  const messages = asArray(request?.messages).map(asObject);
  return {
    texts: [
      ...present(request?.system),
      ...asArray(request?.system).flatMap((block) => blockTexts(asObject(block))),
      ...messages.flatMap((message) => [
        ...present(message?.content),
        ...asArray(message?.content).flatMap((block) => blockTexts(asObject(block))),
      ]),
      ...asArray(request?.tools).map((tool) => jsonText(tool)),
    ],
    overhead: 3 + 3 * messages.length,
  };
}

/** A result of a tool has blocks of its own; more levels than these are nobody's. */
const maxLevels = 8;

/** What a content block says: text, thinking, a tool's input or its result. */
export function blockTexts(block: JsonObject | null, level = 0): string[] {
  if (!block || level > maxLevels) return [];
  return [
    ...present(block.text, block.thinking, block.name, block.content),
    ...(block.input === undefined ? [] : [jsonText(block.input)]),
    ...asArray(block.content).flatMap((inner) => blockTexts(asObject(inner), level + 1)),
  ];
}
