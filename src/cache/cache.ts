import type { TokenUsage, UsageSource } from '../usage/record.ts';

/** A stored answer: the bytes that the client got, and what is needed to say what it saved. */
export interface CachedAnswer {
  status: number;
  contentType: string;
  body: Buffer;
  /** Epoch milliseconds. */
  storedAt: number;
  model: string | null;
  responseId: string | null;
  finishReason: string | null;
  usage: TokenUsage;
  usageSource: UsageSource | null;
  /** What the call cost that brought this answer; decimal USD, null when unpriced. */
  costUsd: string | null;
}

/** The exact cache. Keys are SHA-256 in hex. A tier that fails is a miss, never an error. */
export interface Cache {
  get(key: string): Promise<CachedAnswer | null>;
  set(key: string, answer: CachedAnswer, ttlMs: number): Promise<void>;
}

/** Larger bodies are not kept: they would push out thousands of others. */
export const maxBodyBytes = 8 * 1024 * 1024;
