import type { ProviderConfig } from '../config/schema.ts';
import type { Conversation } from './conversation.ts';
import type { JsonObject } from './json.ts';
import type { Reuse } from './reuse.ts';
import { noText, type SeenText } from './text.ts';
import type { TokenUsage, UsagePart } from './usage.ts';

/** What weir needs to know of a request. Plain data: it crosses from a worker thread. */
export interface RequestFacts {
  model: string | null;
  stream: boolean;
  /** The end user that the body names. */
  user: string | null;
  /** Of all answers together, where several are asked for. */
  maxOutputTokens: number | null;
  temperature: number | null;
  topP: number | null;
  reasoningEffort: string | null;
  /** SHA-256 in hex of what counts of the request: equal for requests that ask the same. */
  hash: string;
  /** Characters of text in it, without images and the like: enough for a first guess of its tokens. */
  textChars: number;
  /** Of the prompt's first 1,024 tokens, the first 2,048, … (prefix-hashes.ts). */
  prefixHashes: string[];
  /** An answer to it may be given again: it rests on nothing but the request, and leaves nothing behind. */
  repeatable: boolean;
  /** It asks for the same answer each time: temperature 0, or a seed. */
  deterministic: boolean;
  /** What the answer repeats of the request and does not count: an answer given again tells the caller's own. */
  labels: JsonObject;
  /** A stream that would tell its usage if it were asked to, and is not. */
  hidesUsage: boolean;
  /** What is asked, where it is a chat; nothing of use for other operations. */
  conversation: Conversation | null;
}

/** What weir needs to know of a reply, plain or streamed. */
export interface ReplyFacts {
  model: string | null;
  responseId: string | null;
  /** null: the answer did not come to its end. */
  finishReason: string | null;
  /** null: the provider told no numbers. */
  usage: TokenUsage | null;
  /** The output is told only as it was when the answer began. */
  provisional: boolean;
  /** The usage by model, where an answer is billed in parts; else empty. */
  parts: UsagePart[];
  /** Uses of the provider's own tools that are billed apart, by the price table's names. */
  tools: Record<string, number>;
  serviceTier: string | null;
  /** What else the price depends on: `speed`, `inference_geo`, `traffic_type`. */
  terms: Record<string, string>;
  /** What the provider says it cost, in USD. */
  reportedUsd: string | null;
  /** The provider's error type or code, from an error body or an error amid a stream. */
  error: string | null;
  /** The answer is made later; its numbers come with a later read of it. */
  pending: boolean;
  /** A whole, good answer: may be kept and given again. */
  complete: boolean;
  /** What the caller could read of it; counted where the provider told no numbers. */
  text: SeenText;
}

/** The texts of a request, and the tokens that its form costs beside them. */
export interface PromptText {
  texts: string[];
  overhead: number;
}

/** The head of a reply, as plain data. */
export interface ReplyHead {
  status: number;
  /** In lower case, `''` when there is none. */
  contentType: string;
  headers: ReadonlyMap<string, string>;
}

/** Reads a reply as it comes: chunks split anywhere. Memory is bounded whatever the length. */
export interface StreamObserver {
  push(chunk: Uint8Array): void;
  /** What is known by now. */
  facts(): ReplyFacts;
}

/** Takes out of a stream what weir asked for and the caller did not; may hold back a part of an event. */
export interface StreamFilter {
  /** What the caller gets for this chunk. */
  push(chunk: Buffer, ended: boolean): Buffer;
}

/** A complete answer as the provider gave it. */
export interface KeptReply {
  /** The provider's content type. */
  contentType: string;
  streamed: boolean;
  /** A streamed answer in the pieces in which it came; a plain one is one piece. */
  chunks: readonly Buffer[];
}

/** The form in which a call wants its answer. */
export interface WantedForm {
  streamed: boolean;
  /**
   * Whether a chat stream asked for its usage (`stream_options.include_usage`); null: it need not ask, the
   * provider tells it or does not.
   */
  usage: boolean | null;
  /** Of the request's facts. */
  labels: RequestFacts['labels'];
  /** Path and query at the provider: Google tells its two forms of streams apart there (`alt=sse`). */
  path: string;
}

/** One wire form. All members are pure; `endpoint` is a path as in Target. */
export interface Dialect {
  name: string;
  /** OpenTelemetry's gen_ai.operation.name. */
  operation: string;
  /** In whose form errors are told. */
  errors: ProviderConfig['api'];
  /** A reply to a request without a body: a read of an answer that was made before. */
  later?: boolean;
  /** The request is signed as it is, or cannot be given an answer of another request. */
  untouchable?: boolean;
  /** What counts of a request, and which answers are never kept. */
  reuse: Reuse;
  /** null: the body is not a JSON object. */
  readRequest(body: Uint8Array, endpoint: string): RequestFacts | null;
  /** What is counted of a request whose provider told no numbers. */
  readPrompt(body: Uint8Array): PromptText;
  /** A body that cannot be read gives facts without content. */
  readReply(body: Uint8Array, head: ReplyHead): ReplyFacts;
  /** null: the reply is no stream, it is read whole. */
  observeStream(head: ReplyHead, endpoint: string): StreamObserver | null;
  /** The request with its stream telling usage, and what takes that out of the stream again. */
  askUsage?(body: Buffer): { body: Buffer; filter: () => StreamFilter };
  /** A kept answer in the form that is wanted, whichever it was kept in; null: it cannot be given so. */
  replay?(kept: KeptReply, wanted: WantedForm): { contentType: string; chunks: Buffer[] } | null;
}

export const noFacts: ReplyFacts = {
  model: null,
  responseId: null,
  finishReason: null,
  usage: null,
  provisional: false,
  parts: [],
  tools: {},
  serviceTier: null,
  terms: {},
  reportedUsd: null,
  error: null,
  pending: false,
  complete: false,
  text: noText,
};

export const isEventStream = ({ contentType }: ReplyHead) => /^\s*text\/event-stream/.test(contentType);
