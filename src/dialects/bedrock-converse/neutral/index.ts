import type { SpokenDialect } from '../../neutral-dialect.ts';
import { parseStream, readStream } from './read-stream.ts';
import { readError, readReply } from './reply.ts';
import { writeRequest } from './write-request.ts';

/** Amazon Bedrock's Converse and ConverseStream, as others are translated to it. */
export const converse: SpokenDialect = {
  name: 'bedrock-converse',
  endpoint: (model, stream) => `/model/${encodeURIComponent(model)}/converse${stream ? '-stream' : ''}`,
  writeRequest,
  readReply,
  readError,
  errorType: 'x-amzn-errortype',
  readStream,
  parseStream,
};
