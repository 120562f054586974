import { noFacts, type ReplyFacts, type ReplyHead } from '../dialect.ts';
import { asObject, asString, firstCount, parseJson } from '../json.ts';
import { errorType } from '../openai/usage.ts';
import { noUsage } from '../usage.ts';

/** Voyage tells the total alone. */
export function readReply(body: Uint8Array, { status }: ReplyHead): ReplyFacts {
  const reply = asObject(parseJson(body));
  if (!reply) return noFacts;
  const usage = asObject(reply.usage);
  const input = firstCount(usage?.prompt_tokens, usage?.total_tokens);
  const error = errorType(reply, reply.data !== undefined);
  return {
    ...noFacts,
    model: asString(reply.model),
    usage: input === null ? null : { ...noUsage, input, output: 0 },
    error,
    complete: status === 200 && error === null && Array.isArray(reply.data),
  };
}
