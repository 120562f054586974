import { noFacts, type ReplyFacts, type ReplyHead } from '../dialect.ts';
import { asArray, asObject, asString, parseJson } from '../json.ts';
import { wholeText } from '../text.ts';
import { blockTexts } from './request.ts';
import { readUsage } from './usage.ts';

export function readReply(body: Uint8Array, { status, headers }: ReplyHead): ReplyFacts {
  const reply = asObject(parseJson(body));
  if (!reply) return noFacts;
  const message = asObject(asObject(reply.output)?.message);
  // `ValidationException:http://internal…`
  const named = headers.get('x-amzn-errortype')?.replace(/:.*$/, '');
  const error = status >= 400 ? (named ?? asString(reply.__type) ?? 'error') : null;
  return {
    ...noFacts,
    finishReason: asString(reply.stopReason),
    usage: readUsage(reply.usage),
    serviceTier: asString(asObject(reply.serviceTier)?.type),
    error,
    complete: status === 200 && reply.stopReason !== undefined,
    text: wholeText(asArray(message?.content).flatMap((block) => blockTexts(asObject(block)))),
  };
}
