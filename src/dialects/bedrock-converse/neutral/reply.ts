import { asArray, asObject, asString, type JsonObject } from '../../json.ts';
import { kindOfStatus } from '../../neutral-error.ts';
import type { ErrorKind, NeutralError, NeutralReply, Stop } from '../../neutral-reply.ts';
import { readUsage } from '../usage.ts';
import { readBlocks } from './blocks.ts';

const reasons: Record<string, Stop['reason']> = {
  end_turn: 'end',
  tool_use: 'call',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  stop_sequence: 'stop',
};

/** Any other reason is one for which the answer may not be said, or cannot be used. */
export function readStop(reason: string | null): Stop | null {
  return reason === null ? null : { reason: reasons[reason] ?? 'filter', sequence: null };
}

export function readReply(body: JsonObject): NeutralReply | null {
  const message = asObject(asObject(body.output)?.message);
  if (!message) return null;
  return {
    dialect: 'bedrock-converse',
    id: null,
    model: null,
    created: null,
    parts: asArray(message.content).flatMap(readBlocks),
    stop: readStop(asString(body.stopReason)),
    usage: readUsage(body.usage),
  };
}

/** What a stream breaks off with, and what the head of an error says (docs.aws.amazon.com, Converse, Errors). */
const kinds: Record<string, ErrorKind> = {
  accessDeniedException: 'permission',
  internalServerException: 'server',
  modelErrorException: 'server',
  modelNotReadyException: 'overloaded',
  modelStreamErrorException: 'server',
  modelTimeoutException: 'timeout',
  resourceNotFoundException: 'not_found',
  serviceUnavailableException: 'overloaded',
  throttlingException: 'rate_limit',
  // Credentials that AWS does not know, or no longer.
  expiredTokenException: 'authentication',
  invalidSignatureException: 'authentication',
  unrecognizedClientException: 'authentication',
  validationException: 'invalid',
};

/** `{message}`; its type is in a header (`ValidationException:http://…`), or in the name of the frame. */
export function readError(body: unknown, status: number | null, type: string | null = null): NeutralError {
  const error = asObject(body);
  const code = (type ?? asString(error?.__type))?.replace(/:.*$/, '').replace(/^.*#/, '') ?? null;
  const named = kinds[(code ?? '').replace(/^[A-Z]/, (letter) => letter.toLowerCase())];
  return {
    // 424: the model failed.
    kind: named ?? kindOfStatus(status === 424 ? 500 : status),
    status,
    message:
      asString(error?.message) ??
      asString(error?.Message) ??
      asString(body) ??
      'The provider gave no reason.',
    code,
    param: null,
  };
}
