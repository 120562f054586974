import type { Dialect } from '../dialect.ts';
import { readPrompt, readRequest } from './request.ts';
import { readReply } from './response.ts';
import { reuse } from './reuse.ts';

/** Embeddings of OpenAI, Voyage and all who speak like them. */
export const openaiEmbeddings: Dialect = {
  name: 'openai-embeddings',
  operation: 'embeddings',
  errors: 'openai',
  reuse,
  readRequest,
  readPrompt,
  readReply,
  observeStream: () => null,
};
