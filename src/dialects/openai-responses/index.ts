import type { Dialect } from '../dialect.ts';
import { replay } from './replay.ts';
import { readPrompt, readRequest } from './request.ts';
import { readReply } from './response.ts';
import { reuse } from './reuse.ts';
import { observeStream } from './stream.ts';

/** OpenAI's Responses. */
export const openaiResponses: Dialect = {
  name: 'openai-responses',
  operation: 'chat',
  errors: 'openai',
  reuse,
  readRequest,
  readPrompt,
  readReply,
  observeStream,
  replay,
};

/** A conversation made shorter: the same forms, never streamed. */
export const openaiResponsesCompact: Dialect = { ...openaiResponses, name: 'openai-responses-compact' };

/** A later read of a response, such as one that was made in the background: it tells the usage of the first. */
export const openaiResponsesRetrieve: Dialect = {
  ...openaiResponses,
  name: 'openai-responses-retrieve',
  operation: 'retrieve',
  later: true,
};
