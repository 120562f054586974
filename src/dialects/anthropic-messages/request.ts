import type { PromptText, RequestFacts } from '../dialect.ts';
import { asArray, asObject, asString, firstCount, type JsonObject, parseJson } from '../json.ts';
import { readBody, requestFacts } from '../openai/request.ts';
import { present } from '../text.ts';

export function readRequest(body: Uint8Array): RequestFacts | null {
  return readBody(body, (request) =>
    requestFacts(request, {
      user: asString(asObject(request.metadata)?.user_id),
      maxOutputTokens: firstCount(request.max_tokens),
      reasoningEffort: asString(asObject(request.output_config)?.effort),
    }),
  );
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
      ...asArray(request?.tools).map((tool) => JSON.stringify(tool)),
    ],
    overhead: 3 + 3 * messages.length,
  };
}

/** What a content block says: text, thinking, a tool's input or its result. */
export function blockTexts(block: JsonObject | null): string[] {
  if (!block) return [];
  return [
    ...present(block.text, block.thinking, block.name, block.content),
    ...(block.input === undefined ? [] : [JSON.stringify(block.input)]),
    ...asArray(block.content).flatMap((inner) => blockTexts(asObject(inner))),
  ];
}
