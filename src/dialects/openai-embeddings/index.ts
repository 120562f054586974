import type { Dialect } from '../dialect.ts';
import { readPrompt, readRequest } from './request.ts';
import { readReply } from './response.ts';

/** Embeddings of OpenAI, Voyage and all who speak like them. */
export const openaiEmbeddings: Dialect = {
  name: 'openai-embeddings',
  operation: 'embeddings',
  errors: 'openai',
  readRequest,
  readPrompt,
  readReply,
  observeStream: () => null,
};
