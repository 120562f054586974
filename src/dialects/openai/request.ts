import { createHash } from 'node:crypto';
import { canonicalForm } from '../canonical.ts';
import { readConversation } from '../conversation.ts';
import type { RequestFacts } from '../dialect.ts';
import { asCount, asNumber, asObject, asString, firstCount, type JsonObject, readOnce } from '../json.ts';
import { prefixHashes } from '../prefix-hashes.ts';
import type { Reuse } from '../reuse.ts';
import { isData, shortName } from '../text.ts';

/** A body that is a JSON object. */
export interface Body {
  request: JsonObject;
  text: string;
}

/** null: the body is no JSON object. */
export function readBody(bytes: Uint8Array): Body | null {
  const json = readOnce(bytes);
  const request = asObject(json?.value);
  return json && request && { request, text: json.text };
}

/** What requests of every family have in common. */
export function requestFacts(
  { request, text }: Body,
  reuse: Reuse,
  own: Partial<
    Omit<
      RequestFacts,
      'hash' | 'textChars' | 'prefixHashes' | 'repeatable' | 'deterministic' | 'labels' | 'conversation'
    >
  >,
): RequestFacts {
  const facts = {
    model: asString(request.model),
    stream: request.stream === true,
    user: asString(request.user),
    maxOutputTokens: null,
    temperature: asNumber(request.temperature),
    topP: asNumber(request.top_p),
    reasoningEffort: null,
    hidesUsage: false,
    ...own,
  };
  return {
    ...facts,
    model: shortName(facts.model),
    user: shortName(facts.user),
    reasoningEffort: shortName(facts.reasoningEffort),
    textChars: textChars(request),
    prefixHashes: prefixHashes(request),
    hash: createHash('sha256').update(canonicalForm(text, reuse.uncounted)).digest('hex'),
    repeatable: !reuse.never.some(({ holds }) => holds(request)),
    deterministic: reuse.deterministic(request),
    labels: labelsOf(request, reuse.echoed ?? {}),
    conversation: readConversation(request),
  };
}

/** Labels are texts, or flat lists of texts by name: a provider refuses others. */
function labelsOf(request: JsonObject, echoed: Readonly<Record<string, unknown>>): JsonObject {
  const labels = Object.entries(echoed).map(([name, absent]) => {
    const value = request[name];
    const isLabel =
      typeof value === 'string' ||
      Object.values(asObject(value) ?? [null]).every((each) => typeof each === 'string');
    return [name, isLabel ? value : absent];
  });
  return Object.fromEntries(labels);
}

/** Azure names the deployment in the path: `/openai/deployments/NAME/chat/completions`. */
export function modelOf(request: JsonObject, endpoint: string): string | null {
  const [, deployment] = /\/deployments\/([^/]+)\//.exec(endpoint) ?? [];
  return asString(request.model) ?? (deployment === undefined ? null : decodeURIComponent(deployment));
}

/** What so many answers together may have at most; the largest number that is asked for counts. */
export function inAll(maxOutputTokens: number | null, ...answers: unknown[]): number | null {
  const most = Math.max(1, ...answers.map((each) => asCount(each) ?? 1));
  return maxOutputTokens === null ? null : maxOutputTokens * most;
}

/** Of a chat or legacy completion. */
export function readCompletionRequest(
  bytes: Uint8Array,
  endpoint: string,
  reuse: Reuse,
): RequestFacts | null {
  const body = readBody(bytes);
  if (!body) return null;
  const { request } = body;
  return requestFacts(body, reuse, {
    model: modelOf(request, endpoint),
    maxOutputTokens: inAll(
      firstCount(request.max_completion_tokens, request.max_tokens),
      request.n,
      request.best_of,
    ),
    reasoningEffort: asString(request.reasoning_effort) ?? asString(asObject(request.reasoning)?.effort),
    hidesUsage: request.stream === true && asObject(request.stream_options)?.include_usage !== true,
  });
}

function textChars(value: unknown): number {
  const left = [value];
  let chars = 0;
  while (left.length > 0) {
    const each = left.pop();
    if (typeof each === 'string') {
      if (!isData(each)) chars += each.length;
    } else if (typeof each === 'object' && each !== null) {
      for (const inner of Object.values(each)) left.push(inner);
    }
  }
  return chars;
}
