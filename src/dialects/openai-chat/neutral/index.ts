import { asObject } from '../../json.ts';
import type { NeutralDialect } from '../../neutral-dialect.ts';
import { readError, writeError } from '../../openai/neutral-error.ts';
import { readRequest } from './read-request.ts';
import { readStream } from './read-stream.ts';
import { readReply, writeReply } from './reply.ts';
import { writeRequest } from './write-request.ts';
import { writeStream } from './write-stream.ts';

export const neutralChat: NeutralDialect = {
  name: 'openai-chat',
  endpoint: () => '/v1/chat/completions',
  readRequest,
  writeRequest,
  asked: (body) => ({ usage: asObject(body.stream_options)?.include_usage === true, sse: true, echo: {} }),
  readReply,
  writeReply,
  readError,
  writeError,
  readStream,
  writeStream,
};
