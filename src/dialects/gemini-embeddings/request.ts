import type { PromptText, RequestFacts } from '../dialect.ts';
import { contentTexts, modelInPath } from '../gemini-generate/request.ts';
import { asArray, asObject, parseJson } from '../json.ts';
import { readBody, requestFacts } from '../openai/request.ts';
import { present } from '../text.ts';
import { reuse } from './reuse.ts';

export function readRequest(bytes: Uint8Array, endpoint: string): RequestFacts | null {
  const body = readBody(bytes);
  return body && requestFacts(body, reuse, { model: modelInPath(endpoint), stream: false, user: null });
}

/** One content, the contents of a batch, or the instances of Vertex. */
export function readPrompt(body: Uint8Array): PromptText {
  const request = asObject(parseJson(body));
  const contents = [request, ...asArray(request?.requests).map(asObject)].map((each) => each?.content);
  const instances = asArray(request?.instances).map((each) => asObject(each)?.content);
  return {
    texts: [...contents.flatMap((content) => contentTexts(asObject(content))), ...present(...instances)],
    overhead: 0,
  };
}
