import type { Dialect } from '../dialect.ts';
import { askUsage } from '../openai/ask-usage.ts';
import { replay } from './replay.ts';
import { readPrompt, readRequest } from './request.ts';
import { readReply } from './response.ts';
import { reuse } from './reuse.ts';
import { observeStream } from './stream.ts';

/** OpenAI's Chat Completions and all who speak like it. */
export const openaiChat: Dialect = {
  name: 'openai-chat',
  operation: 'chat',
  errors: 'openai',
  reuse,
  readRequest,
  readPrompt,
  readReply,
  observeStream,
  askUsage,
  replay,
};
