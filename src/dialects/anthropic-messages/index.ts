import type { Dialect } from '../dialect.ts';
import { replay } from './replay.ts';
import { readPrompt, readRequest } from './request.ts';
import { readReply } from './response.ts';
import { reuse } from './reuse.ts';
import { observeStream } from './stream.ts';

/** Anthropic's Messages. */
export const anthropicMessages: Dialect = {
  name: 'anthropic-messages',
  operation: 'chat',
  errors: 'anthropic',
  reuse,
  readRequest,
  readPrompt,
  readReply,
  observeStream,
  replay,
};
