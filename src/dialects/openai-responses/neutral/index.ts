import type { NeutralDialect } from '../../neutral-dialect.ts';
import { readError, writeError } from '../../openai/neutral-error.ts';
import { readRequest } from './read-request.ts';
import { readStream } from './read-stream.ts';
import { echo, readReply, writeReply } from './reply.ts';
import { writeRequest } from './write-request.ts';
import { writeStream } from './write-stream.ts';

export const neutralResponses: NeutralDialect = {
  name: 'openai-responses',
  endpoint: () => '/v1/responses',
  readRequest,
  writeRequest,
  asked: (body) => ({ usage: true, sse: true, echo: echo(body) }),
  readReply,
  writeReply,
  readError,
  writeError,
  readStream,
  writeStream,
};
