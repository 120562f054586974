import type { DialectName, SpokenName } from '../config/dialects.ts';
import type { JsonObject } from './json.ts';
import type { NeutralRequest } from './neutral.ts';
import type { NeutralError, NeutralReply, StreamEvent } from './neutral-reply.ts';

/** Whom a request is written for. */
export interface WriteTarget {
  /** The model by the provider's name of it: what some members mean depends on it. */
  model: string;
  /** Streams are asked for their usage; false: the provider tells it unasked, or refuses the question. */
  askUsage: boolean;
  /** Tokens at most, where the dialect demands a limit and the caller set none; null: what the model can. */
  maxTokens: number | null;
}

/** What of a request decides the form of its reply. Plain data: it comes from a worker thread. */
export interface Asked {
  /** In which the request was made. */
  dialect: DialectName;
  /** As the caller named it. */
  model: string | null;
  stream: boolean;
  /** A chat stream that asked for its usage. */
  usage: boolean;
  /** Server-sent events; else Google's growing JSON array. */
  sse: boolean;
  /** What a Responses object tells again of its request. */
  echo: JsonObject;
  /** For replies whose provider gave no id: unique, of letters, digits, `-` and `_`. */
  id: string;
  /** Epoch seconds, for replies that do not tell when they were made. */
  created: number;
}

/** Takes the events of a provider's stream. */
export interface StreamReader {
  /** `data` of an event that is a JSON object. */
  read(event: JsonObject, type: string): StreamEvent[];
  /** An event with other data, such as `[DONE]`. */
  other?(data: string): StreamEvent[];
  /** The bytes are at their end. */
  close?(): StreamEvent[];
}

/** Makes a dialect's stream of neutral events: the text that goes to the caller, '' for none. */
export interface StreamWriter {
  write(event: StreamEvent): string;
}

/** Takes the bytes of a stream apart; they may be split anywhere. */
export interface StreamParser {
  push(chunk: Uint8Array): { type: string; data: string }[];
  /** Events that were too large. */
  readonly passedOver: number;
}

/** How providers are spoken to in a dialect. All pure. */
export interface SpokenDialect {
  name: SpokenName;
  /** The endpoint of a request: a path as it stands behind a provider's host. */
  endpoint(model: string, stream: boolean): string;
  writeRequest(request: NeutralRequest, target: WriteTarget): JsonObject;
  /** null: it is no reply of this dialect. */
  readReply(body: JsonObject, id: string): NeutralReply | null;
  /** `type`: what a header says of it (`errorType`); null: nothing. */
  readError(body: unknown, status: number | null, type?: string | null): NeutralError;
  /** The header that tells what kind of error it is. */
  errorType?: string;
  readStream(id: string): StreamReader;
  /** Streams that are no server-sent events. */
  parseStream?(): StreamParser;
}

/** How a dialect reads and writes the neutral form. Reading never fails: what it does not know is `own`. */
export interface NeutralDialect extends SpokenDialect {
  name: DialectName;
  readRequest(body: JsonObject, endpoint: string): NeutralRequest;
  /** What of a request its reply depends on, besides the neutral form. */
  asked(body: JsonObject, endpoint: string): Pick<Asked, 'usage' | 'sse' | 'echo'>;
  writeReply(reply: NeutralReply, asked: Asked): JsonObject;
  writeError(error: NeutralError): JsonObject;
  writeStream(asked: Asked): StreamWriter;
}
