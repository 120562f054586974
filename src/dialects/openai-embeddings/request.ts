import type { PromptText, RequestFacts } from '../dialect.ts';
import { asObject, parseJson } from '../json.ts';
import { modelOf, readBody, requestFacts } from '../openai/request.ts';
import { promptText } from '../openai-completions/request.ts';

export function readRequest(body: Uint8Array, endpoint: string): RequestFacts | null {
  return readBody(body, (request) =>
    requestFacts(request, { model: modelOf(request, endpoint), stream: false }),
  );
}

export function readPrompt(body: Uint8Array): PromptText {
  return promptText(asObject(parseJson(body))?.input);
}
