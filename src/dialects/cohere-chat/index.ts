import type { Dialect } from '../dialect.ts';
import { replay } from './replay.ts';
import { readPrompt, readRequest } from './request.ts';
import { readReply } from './response.ts';
import { reuse } from './reuse.ts';
import { observeStream } from './stream.ts';

/** Cohere's Chat, version 2. */
export const cohereChat: Dialect = {
  name: 'cohere-chat',
  operation: 'chat',
  errors: 'cohere',
  reuse,
  readRequest,
  readPrompt,
  readReply,
  observeStream,
  replay,
};
