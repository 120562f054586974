import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { RedisConnection } from '../redis/connection.ts';
import type { Kept } from './choose.ts';

/** Providers keep a prompt for five to ten minutes after its last use (OpenAI, Anthropic: "Prompt caching"). */
const keptMs = 5 * 60_000;
const maxKept = 50_000;
/** A shorter prompt is not kept: by OpenAI and most of Anthropic's and Google's models (their guides, as above). */
export const minCachedTokens = 1_024;

/** Which model took a conversation last, and what of it lies in that model's prompt cache. */
export interface Conversations {
  find(organization: string, opening: readonly string[]): Promise<Kept | null>;
  keep(organization: string, opening: readonly string[], kept: Kept): void;
}

/**
 * In memory, and over Redis for the processes that had no part in it. A conversation is known by a hash of its
 * first turns; nothing of its text is kept.
 */
export function createConversations(redis: RedisConnection | null): Conversations {
  const here = new LRUCache<string, Kept>({ max: maxKept, ttl: keptMs });
  return {
    async find(organization, opening) {
      const key = keyOf(organization, opening);
      // The last turn may have gone through another process: what Redis has is newer.
      const text = redis && (await redis.run(() => redis.client.get(key)).catch(() => null));
      return (text ? parse(text) : here.get(key)) ?? null;
    },
    keep(organization, opening, kept) {
      const key = keyOf(organization, opening);
      here.set(key, kept);
      redis?.run(() => redis.client.set(key, JSON.stringify(kept), 'PX', keptMs)).catch(() => {});
    },
  };
}

function keyOf(organization: string, opening: readonly string[]): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([organization, opening]))
    .digest('base64url');
  return `weir:{${organization}}:conversation:${hash}`;
}

function parse(text: string): Kept | null {
  try {
    const { provider, model, cachedTokens } = JSON.parse(text);
    const valid = typeof provider === 'string' && typeof model === 'string' && cachedTokens >= 0;
    return valid ? { provider, model, cachedTokens } : null;
  } catch {
    return null;
  }
}

/**
 * Tokens that the next call may find in the provider's prompt cache: what was read and written where the provider tells
 * it, else for OpenAI, which caches unasked from 1,024 tokens on in steps of 128 (platform.openai.com, "Prompt caching"), the prompt.
 */
export function cachedTokensOf(
  api: string,
  {
    input,
    cacheRead,
    cacheWrite,
  }: { input: number | null; cacheRead: number | null; cacheWrite: number | null },
): number {
  const told = (cacheRead ?? 0) + (cacheWrite ?? 0);
  if (api !== 'openai') return told;
  const prompt = input ?? 0;
  return Math.max(told, prompt >= minCachedTokens ? prompt - (prompt % 128) : 0);
}
