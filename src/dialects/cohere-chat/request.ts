import type { RequestFacts } from '../dialect.ts';
import { firstCount } from '../json.ts';
import { readBody, requestFacts } from '../openai/request.ts';

export { readPrompt } from '../openai-chat/request.ts';

export function readRequest(body: Uint8Array): RequestFacts | null {
  return readBody(body, (request) =>
    requestFacts(request, { user: null, maxOutputTokens: firstCount(request.max_tokens) }),
  );
}
