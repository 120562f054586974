import type { NeutralDialect } from '../../neutral-dialect.ts';
import { readError, writeError } from './error.ts';
import { readRequest } from './read-request.ts';
import { readStream } from './read-stream.ts';
import { readReply, writeReply } from './reply.ts';
import { writeRequest } from './write-request.ts';
import { writeStream } from './write-stream.ts';

export const neutralMessages: NeutralDialect = {
  name: 'anthropic-messages',
  endpoint: () => '/v1/messages',
  readRequest,
  writeRequest,
  asked: () => ({ usage: true, sse: true, echo: {} }),
  readReply,
  writeReply,
  readError,
  writeError,
  readStream,
  writeStream,
};
