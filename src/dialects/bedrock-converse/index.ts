import type { Dialect } from '../dialect.ts';
import { readPrompt, readRequest } from './request.ts';
import { readReply } from './response.ts';
import { reuse } from './reuse.ts';
import { observeStream } from './stream.ts';

/** Amazon Bedrock's Converse and ConverseStream. Requests are signed: what came goes on. */
export const bedrockConverse: Dialect = {
  name: 'bedrock-converse',
  operation: 'chat',
  errors: 'bedrock',
  untouchable: true,
  reuse,
  readRequest,
  readPrompt,
  readReply,
  observeStream,
};
