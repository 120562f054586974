import { createHash } from 'node:crypto';
import type { RequestFacts } from '../dialect.ts';
import { asObject, asString, canonicalJson, firstCount, type JsonObject, parseJson } from '../json.ts';

/** Reads a body that is a JSON object; null: it is none. */
export function readBody<T>(body: Uint8Array, read: (request: JsonObject) => T): T | null {
  const request = asObject(parseJson(body));
  return request && read(request);
}

/** What requests of every family have in common. */
export function requestFacts(
  request: JsonObject,
  own: Partial<Omit<RequestFacts, 'hash' | 'textChars'>>,
): RequestFacts {
  return {
    model: asString(request.model),
    stream: request.stream === true,
    user: asString(request.user),
    maxOutputTokens: null,
    reasoningEffort: null,
    repeatable: true,
    hidesUsage: false,
    ...own,
    textChars: textChars(request),
    hash: createHash('sha256').update(canonicalJson(request)).digest('hex'),
  };
}

/** Azure names the deployment in the path: `/openai/deployments/NAME/chat/completions`. */
export function modelOf(request: JsonObject, endpoint: string): string | null {
  const [, deployment] = /\/deployments\/([^/]+)\//.exec(endpoint) ?? [];
  return asString(request.model) ?? (deployment === undefined ? null : decodeURIComponent(deployment));
}

/** Of a chat or legacy completion. */
export function readCompletionRequest(body: Uint8Array, endpoint: string): RequestFacts | null {
  return readBody(body, (request) =>
    requestFacts(request, {
      model: modelOf(request, endpoint),
      maxOutputTokens: firstCount(request.max_completion_tokens, request.max_tokens),
      reasoningEffort: asString(request.reasoning_effort) ?? asString(asObject(request.reasoning)?.effort),
      hidesUsage: request.stream === true && asObject(request.stream_options)?.include_usage !== true,
    }),
  );
}

/** Longer texts without a space at their beginning are data: base64 of an image, a file, a sound. */
const maxWordChars = 1_000;

function textChars(value: unknown): number {
  if (typeof value === 'string') {
    const isData = value.length > maxWordChars && !/\s/.test(value.slice(0, maxWordChars));
    return isData ? 0 : value.length;
  }
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce<number>((sum, each) => sum + textChars(each), 0);
}
