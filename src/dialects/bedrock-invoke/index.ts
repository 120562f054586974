import { reuse } from '../bedrock-converse/reuse.ts';
import type { Dialect } from '../dialect.ts';
import { readPrompt, readRequest } from './request.ts';
import { readReply } from './response.ts';
import { observeStream } from './stream.ts';

/** Amazon Bedrock's InvokeModel: each vendor's own form behind one path. */
export const bedrockInvoke: Dialect = {
  name: 'bedrock-invoke',
  operation: 'chat',
  errors: 'bedrock',
  untouchable: true,
  reuse,
  readRequest,
  readPrompt,
  readReply,
  observeStream,
};
