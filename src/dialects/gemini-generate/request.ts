import type { PromptText, RequestFacts } from '../dialect.ts';
import {
  asArray,
  asNumber,
  asObject,
  asString,
  firstCount,
  type JsonObject,
  jsonText,
  parseJson,
} from '../json.ts';
import { inAll, readBody, requestFacts } from '../openai/request.ts';
import { present } from '../text.ts';
import { reuse } from './reuse.ts';

/** `…/models/gemini-2.5-flash:generateContent`, with or without a project and location before it. */
export function modelInPath(endpoint: string): string | null {
  const [, model] = /\/(?:models|endpoints)\/([^/:]+):[^/]*$/.exec(endpoint) ?? [];
  return model === undefined ? null : decodeURIComponent(model);
}

export function readRequest(bytes: Uint8Array, endpoint: string): RequestFacts | null {
  const body = readBody(bytes);
  if (!body) return null;
  const { request } = body;
  const config = asObject(request.generationConfig) ?? asObject(request.generation_config);
  const thinking = asObject(config?.thinkingConfig) ?? asObject(config?.thinking_config);
  return requestFacts(body, reuse, {
    model: modelInPath(endpoint),
    stream: /:streamGenerateContent$/.test(endpoint),
    user: null,
    maxOutputTokens: inAll(
      firstCount(config?.maxOutputTokens, config?.max_output_tokens),
      config?.candidateCount ?? config?.candidate_count,
    ),
    temperature: asNumber(config?.temperature),
    topP: asNumber(config?.topP ?? config?.top_p),
    reasoningEffort: asString(thinking?.thinkingLevel) ?? asString(thinking?.thinking_level),
  });
}

/** System instruction, contents and tools. Google's tokenizer is not public: what is counted is an estimate. */
export function readPrompt(body: Uint8Array): PromptText {
  const request = asObject(parseJson(body));
  const contents = [...asArray(request?.contents), request?.systemInstruction, request?.system_instruction];
  return {
    texts: [
      ...contents.flatMap((content) => contentTexts(asObject(content))),
      ...asArray(request?.tools).map((tool) => jsonText(tool)),
    ],
    overhead: 0,
  };
}

/** What the parts of a content say. */
export function contentTexts(content: JsonObject | null): string[] {
  return asArray(content?.parts).flatMap((each) => {
    const part = asObject(each);
    const call = part?.functionCall ?? part?.functionResponse;
    const code = asObject(part?.executableCode)?.code ?? asObject(part?.codeExecutionResult)?.output;
    return present(part?.text, code, call === undefined ? null : jsonText(call));
  });
}
