import type { NeutralDialect } from '../../neutral-dialect.ts';
import { readError, writeError } from './error.ts';
import { readRequest } from './read-request.ts';
import { readStream } from './read-stream.ts';
import { readReply, writeReply } from './reply.ts';
import { writeRequest } from './write-request.ts';
import { writeStream } from './write-stream.ts';

export const neutralGemini: NeutralDialect = {
  name: 'gemini-generate',
  endpoint: (model, stream) =>
    `/v1beta/models/${encodeURIComponent(model)}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
  readRequest,
  writeRequest,
  asked: (_body, path) => ({ usage: true, sse: /[?&]alt=sse(&|$)/.test(path), echo: {} }),
  readReply,
  writeReply,
  readError,
  writeError,
  readStream,
  writeStream,
};
