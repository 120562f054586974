import { noFacts, type ReplyFacts, type ReplyHead } from '../dialect.ts';
import { asObject, asString, firstCount, parseJson } from '../json.ts';
import { noUsage } from '../usage.ts';

export function readReply(body: Uint8Array, { status }: ReplyHead): ReplyFacts {
  const reply = asObject(parseJson(body));
  if (!reply) return noFacts;
  const billed = asObject(asObject(reply.meta)?.billed_units);
  const input = firstCount(billed?.input_tokens);
  const images = firstCount(billed?.image_tokens);
  return {
    ...noFacts,
    responseId: asString(reply.id),
    usage:
      input === null && images === null
        ? null
        : { ...noUsage, input: (input ?? 0) + (images ?? 0), inputImage: images, output: 0 },
    error: status >= 400 ? 'error' : null,
    complete: status === 200 && reply.embeddings !== undefined,
  };
}
