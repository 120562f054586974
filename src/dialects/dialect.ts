import type { TokenUsage } from './usage.ts';

/** What weir needs to know of a request. Plain data: it crosses from a worker thread. */
export interface RequestFacts {
  model: string | null;
  stream: boolean;
  /** The end user that the body names. */
  user: string | null;
  maxOutputTokens: number | null;
  reasoningEffort: string | null;
  /** SHA-256 in hex of the canonical request: equal for requests that ask the same. */
  hash: string;
}

/** What weir needs to know of a reply, plain or streamed. */
export interface ReplyFacts {
  model: string | null;
  responseId: string | null;
  /** null: the answer did not come to its end. */
  finishReason: string | null;
  /** null: the provider told no numbers. */
  usage: TokenUsage | null;
  serviceTier: string | null;
  /** The provider's error type or code, from an error body or an error amid a stream. */
  error: string | null;
  /** A whole, good answer: may be kept and given again. */
  complete: boolean;
  /** What the caller could read of it; counted where the provider told no numbers. Bounded. */
  text: string[];
}

/** The texts of a request, and the tokens that its form costs beside them. */
export interface PromptText {
  texts: string[];
  overhead: number;
}

/** Reads a reply as it comes: chunks split anywhere. Memory is bounded whatever the length. */
export interface StreamObserver {
  push(chunk: Uint8Array): void;
  /** What is known by now. */
  facts(): ReplyFacts;
}

/** One wire form. All members are pure. */
export interface Dialect {
  name: string;
  /** OpenTelemetry's gen_ai.operation.name. */
  operation: string;
  /** null: the body is not a JSON object. */
  readRequest(body: Uint8Array): RequestFacts | null;
  /** What is counted of a request whose provider told no numbers. */
  readPrompt(body: Uint8Array): PromptText;
  /** A body that cannot be read gives facts without content. */
  readReply(body: Uint8Array, status: number): ReplyFacts;
  observeStream(): StreamObserver;
}

export const noFacts: ReplyFacts = {
  model: null,
  responseId: null,
  finishReason: null,
  usage: null,
  serviceTier: null,
  error: null,
  complete: false,
  text: [],
};
