import type { PromptText, RequestFacts } from '../dialect.ts';
import { asArray, asNumber, asObject, firstCount, type JsonObject, jsonText, parseJson } from '../json.ts';
import { readBody, requestFacts } from '../openai/request.ts';
import { present } from '../text.ts';
import { reuse } from './reuse.ts';

/** `/model/ID/converse`: the id with its region prefix, or the ARN of an inference profile. */
export function modelInPath(endpoint: string): string | null {
  const [, model] = /\/model\/(.+)\/[^/]+$/.exec(endpoint) ?? [];
  return model === undefined ? null : decode(model);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A body that cannot be read goes on as it came, since it is signed: its model is in the path. */
export function readRequest(bytes: Uint8Array, endpoint: string): RequestFacts {
  const body = readBody(bytes) ?? { request: {}, text: '{}' };
  const { request } = body;
  return requestFacts(body, reuse, {
    model: modelInPath(endpoint),
    stream: /\/converse-stream$/.test(endpoint),
    user: null,
    maxOutputTokens: firstCount(asObject(request.inferenceConfig)?.maxTokens),
    temperature: asNumber(asObject(request.inferenceConfig)?.temperature),
    topP: asNumber(asObject(request.inferenceConfig)?.topP),
  });
}

export function readPrompt(body: Uint8Array): PromptText {
  const request = asObject(parseJson(body));
  const messages = asArray(request?.messages).map(asObject);
  const blocks = [...asArray(request?.system), ...messages.flatMap((message) => asArray(message?.content))];
  const tools = asArray(asObject(request?.toolConfig)?.tools).map((tool) => jsonText(tool));
  return {
    texts: [...blocks.flatMap((block) => blockTexts(asObject(block))), ...tools],
    overhead: 3 + 3 * messages.length,
  };
}

/** What a content block says: text, thoughts, a tool's input or its result. */
export function blockTexts(block: JsonObject | null): string[] {
  const call = asObject(block?.toolUse);
  const results = asArray(asObject(block?.toolResult)?.content).map(asObject);
  const reasoning = asObject(block?.reasoningContent);
  return present(
    block?.text,
    reasoning?.text,
    asObject(reasoning?.reasoningText)?.text,
    call?.name,
    call?.input === undefined || typeof call.input === 'string' ? call?.input : jsonText(call.input),
    ...results.flatMap((each) => [each?.text, each?.json === undefined ? null : jsonText(each.json)]),
  );
}
