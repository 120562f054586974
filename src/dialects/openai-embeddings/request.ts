import type { PromptText, RequestFacts } from '../dialect.ts';
import { asObject, parseJson } from '../json.ts';
import { modelOf, readBody, requestFacts } from '../openai/request.ts';
import { promptText } from '../openai-completions/request.ts';
import { reuse } from './reuse.ts';

export function readRequest(bytes: Uint8Array, endpoint: string): RequestFacts | null {
  const body = readBody(bytes);
  return body && requestFacts(body, reuse, { model: modelOf(body.request, endpoint), stream: false });
}

export function readPrompt(body: Uint8Array): PromptText {
  return promptText(asObject(parseJson(body))?.input);
}
