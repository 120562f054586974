import type { Dialect } from '../dialect.ts';
import { readPrompt, readRequest } from './request.ts';
import { readReply } from './response.ts';
import { reuse } from './reuse.ts';

/** Cohere's embeddings, versions 1 and 2. */
export const cohereEmbed: Dialect = {
  name: 'cohere-embed',
  operation: 'embeddings',
  errors: 'cohere',
  reuse,
  readRequest,
  readPrompt,
  readReply,
  observeStream: () => null,
};
