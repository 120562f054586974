import { noFacts, type ReplyFacts, type ReplyHead } from '../dialect.ts';
import { asArray, asCount, asObject, asString, firstCount, type JsonObject, parseJson } from '../json.ts';
import { noUsage } from '../usage.ts';

export function readReply(body: Uint8Array, { status }: ReplyHead): ReplyFacts {
  const reply = asObject(parseJson(body));
  if (!reply) return noFacts;
  const input = firstCount(asObject(reply.usageMetadata)?.promptTokenCount) ?? sumOfPredictions(reply);
  const error = asObject(reply.error);
  const vectors = reply.embedding ?? reply.embeddings ?? reply.predictions;
  return {
    ...noFacts,
    usage: input === null ? null : { ...noUsage, input, output: 0 },
    error: error ? (asString(error.status) ?? 'error') : null,
    complete: status === 200 && error === null && vectors !== undefined,
  };
}

/** Vertex's `:predict` counts inside each prediction. */
function sumOfPredictions(reply: JsonObject): number | null {
  const counts = asArray(reply.predictions).map((prediction) => {
    const statistics = asObject(asObject(asObject(prediction)?.embeddings)?.statistics);
    return asCount(statistics?.token_count);
  });
  return counts.length === 0 || counts.includes(null)
    ? null
    : counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
}
