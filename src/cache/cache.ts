import type { TokenUsage, UsageSource } from '../usage/record.ts';

/** What is known of an answer beside its bytes. */
export interface AnswerFacts {
  status: number;
  contentType: string;
  streamed: boolean;
  /** Path and query at the provider, without a credential: Google's forms of a stream are told apart there. */
  path: string;
  provider: string;
  /** As asked for, and as the provider names it. */
  requestedModel: string | null;
  model: string | null;
  responseId: string | null;
  finishReason: string | null;
  usage: TokenUsage;
  usageSource: UsageSource | null;
  /** What the call cost that brought this answer; decimal USD, null when unpriced. */
  costUsd: string | null;
}

/** An answer that is kept: the provider's own bytes, in the pieces in which they came. */
export interface KeptAnswer extends AnswerFacts {
  pieces: Buffer[];
  /** Epoch milliseconds. */
  storedAt: number;
  expiresAt: number;
  /** The newest purge that was known when the provider was asked. */
  generation: number;
  /** That it could have been kept is all that is kept: there are no pieces. */
  shadow: boolean;
}

/** What of an answer tells whether a purge is about it. */
export type Dated = Pick<KeptAnswer, 'requestedModel' | 'model' | 'storedAt' | 'generation'>;

/** Where an answer lies. */
export interface Place {
  organization: string;
  /** SHA-256 in hex. */
  key: string;
}

/** A tier that is asked first. What fails is a miss, never an error. */
export interface HotTier {
  /**
   * Looks for an answer, and claims the place in the same round trip: asked for in this tick. `holder` is the
   * token of whoever has claimed it, the caller's own when it has succeeded; null when nothing was claimed.
   */
  look(place: Place, look: Look): Promise<{ answer: KeptAnswer | null; holder: string | null }>;
  /** Keeps an answer for so long, and gives up the claim. */
  put(place: Place, answer: KeptAnswer, ttlMs: number, token: string | null): Promise<void>;
  /** Gives up a claim. */
  release(place: Place, token: string): Promise<void>;
  /** Holds a claim for longer. */
  renew(place: Place, token: string): Promise<void>;
  /** Lets go of what has been purged. */
  purge(covers: (place: Place, facts: Dated) => boolean): void;
}

export interface Look {
  /** Looks for an answer; a place that has one is not claimed. */
  read: boolean;
  /** Claims the place by this token; null: does not. */
  token: string | null;
  /** A claim of this token does not count: its holder is gone. */
  instead: string | null;
}
