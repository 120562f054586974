import { noFacts, type ReplyFacts, type ReplyHead } from '../dialect.ts';
import { asArray, asObject, asString, type JsonObject, parseJson } from '../json.ts';
import { wholeText } from '../text.ts';
import { contentTexts } from './request.ts';
import { readUsage } from './usage.ts';

export function readReply(body: Uint8Array, { status }: ReplyHead): ReplyFacts {
  const value = parseJson(body);
  // Errors of a stream come as a list of one.
  const reply = asObject(value) ?? asObject(asArray(value)[0]);
  if (!reply) return noFacts;
  const facts = generationFacts(reply);
  return { ...facts, complete: status === 200 && facts.complete };
}

/** All others are filters, or failures of the model. */
export function isGoodEnd(reason: string | null): boolean {
  return reason === 'STOP' || reason === 'MAX_TOKENS';
}

/** What a GenerateContentResponse tells, whole or as one chunk of a stream. */
export function generationFacts(reply: JsonObject): ReplyFacts {
  const candidates = asArray(reply.candidates).map(asObject);
  const reasons = candidates.map((candidate) => asString(candidate?.finishReason));
  const finishReason = reasons.includes('MAX_TOKENS') ? 'MAX_TOKENS' : (reasons[0] ?? null);
  const metadata = asObject(reply.usageMetadata);
  const traffic = asString(metadata?.trafficType);
  const error = asObject(reply.error);
  return {
    ...noFacts,
    model: asString(reply.modelVersion)?.replace(/^models\//, '') ?? null,
    responseId: asString(reply.responseId),
    finishReason,
    usage: readUsage(metadata),
    serviceTier: asString(metadata?.serviceTier)?.toLowerCase() ?? null,
    terms: traffic === null ? {} : { traffic_type: traffic.toLowerCase() },
    error: error ? (asString(error.status) ?? 'error') : null,
    complete: error === null && reasons.length > 0 && reasons.every((reason) => isGoodEnd(reason)),
    text: wholeText(candidates.flatMap((candidate) => contentTexts(asObject(candidate?.content)))),
  };
}
