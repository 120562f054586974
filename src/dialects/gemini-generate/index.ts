import type { Dialect } from '../dialect.ts';
import { replay } from './replay.ts';
import { readPrompt, readRequest } from './request.ts';
import { readReply } from './response.ts';
import { reuse } from './reuse.ts';
import { observeStream } from './stream.ts';

/** Google's generateContent and streamGenerateContent, of the Gemini API and of Vertex. */
export const geminiGenerate: Dialect = {
  name: 'gemini-generate',
  operation: 'generate_content',
  errors: 'gemini',
  reuse,
  readRequest,
  readPrompt,
  readReply,
  observeStream,
  replay,
};
