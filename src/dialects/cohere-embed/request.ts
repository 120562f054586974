import type { PromptText, RequestFacts } from '../dialect.ts';
import { asArray, asObject, parseJson } from '../json.ts';
import { readBody, requestFacts } from '../openai/request.ts';
import { present } from '../text.ts';
import { reuse } from './reuse.ts';

export function readRequest(bytes: Uint8Array): RequestFacts | null {
  const body = readBody(bytes);
  return body && requestFacts(body, reuse, { stream: false, user: null });
}

export function readPrompt(body: Uint8Array): PromptText {
  return { texts: present(...asArray(asObject(parseJson(body))?.texts)), overhead: 0 };
}
