import type { RequestFacts } from '../dialect.ts';
import { firstCount } from '../json.ts';
import { readBody, requestFacts } from '../openai/request.ts';
import { reuse } from './reuse.ts';

export { readPrompt } from '../openai-chat/request.ts';

export function readRequest(bytes: Uint8Array): RequestFacts | null {
  const body = readBody(bytes);
  return (
    body && requestFacts(body, reuse, { user: null, maxOutputTokens: firstCount(body.request.max_tokens) })
  );
}
