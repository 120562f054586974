import type { Dialect } from '../dialect.ts';
import { openaiChat } from '../openai-chat/index.ts';
import { replay } from './replay.ts';
import { readPrompt, readRequest } from './request.ts';
import { reuse } from './reuse.ts';

/** OpenAI's legacy completions: the replies differ from those of chat only in where the text stands. */
export const openaiCompletions: Dialect = {
  ...openaiChat,
  name: 'openai-completions',
  operation: 'text_completion',
  reuse,
  readRequest,
  readPrompt,
  replay,
};
