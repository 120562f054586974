import { messageFacts } from '../anthropic-messages/response.ts';
import { noFacts, type ReplyFacts, type ReplyHead } from '../dialect.ts';
import { asArray, asObject, asString, parseJson } from '../json.ts';
import { present, wholeText } from '../text.ts';
import { readUsage, usageOfHeaders } from './usage.ts';

export function readReply(body: Uint8Array, { status, headers }: ReplyHead): ReplyFacts {
  const reply = asObject(parseJson(body)) ?? {};
  const claude = reply.type === 'message' ? messageFacts(reply) : noFacts;
  const named = headers.get('x-amzn-errortype')?.replace(/:.*$/, '');
  return {
    ...claude,
    // The name that is priced is Bedrock's, in the path.
    model: null,
    finishReason: claude.finishReason ?? asString(reply.stop_reason) ?? asString(reply.completionReason),
    usage: readUsage(reply) ?? usageOfHeaders(headers),
    error: status >= 400 ? (named ?? 'error') : null,
    complete: status === 200,
    text: wholeText([
      ...claude.text.texts,
      ...present(reply.generation),
      ...asArray(reply.results).flatMap((each) => present(asObject(each)?.outputText)),
    ]),
  };
}
