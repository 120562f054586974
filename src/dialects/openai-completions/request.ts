import type { PromptText, RequestFacts } from '../dialect.ts';
import { asArray, asObject, parseJson } from '../json.ts';
import { readCompletionRequest } from '../openai/request.ts';
import { present } from '../text.ts';
import { reuse } from './reuse.ts';

export function readRequest(body: Uint8Array, endpoint: string): RequestFacts | null {
  return readCompletionRequest(body, endpoint, reuse);
}

/** A prompt may be a text, texts, or tokens, which are counted as they are. */
export function readPrompt(body: Uint8Array): PromptText {
  return promptText(asObject(parseJson(body))?.prompt);
}

/** A text, a list of texts, a list of tokens, or a list of such lists. */
export function promptText(value: unknown): PromptText {
  const list = asArray(value);
  const tokens = list.flat().filter((each) => typeof each === 'number').length;
  return { texts: present(value, ...list), overhead: tokens };
}
