import type { PromptText, RequestFacts } from '../dialect.ts';
import { asArray, asObject, parseJson } from '../json.ts';
import { readBody, requestFacts } from '../openai/request.ts';
import { present } from '../text.ts';

export function readRequest(body: Uint8Array): RequestFacts | null {
  return readBody(body, (request) => requestFacts(request, { stream: false, user: null }));
}

export function readPrompt(body: Uint8Array): PromptText {
  return { texts: present(...asArray(asObject(parseJson(body))?.texts)), overhead: 0 };
}
