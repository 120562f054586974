import type { Dialect } from '../dialect.ts';
import { readPrompt, readRequest } from './request.ts';
import { readReply } from './response.ts';
import { reuse } from './reuse.ts';

/** Google's embedContent, batchEmbedContents and Vertex's predict. */
export const geminiEmbeddings: Dialect = {
  name: 'gemini-embeddings',
  operation: 'embeddings',
  errors: 'gemini',
  reuse,
  readRequest,
  readPrompt,
  readReply,
  observeStream: () => null,
};
