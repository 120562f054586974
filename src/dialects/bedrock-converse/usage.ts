import { asObject, firstCount } from '../json.ts';
import { noUsage, type TokenUsage } from '../usage.ts';

/** `usage` in normal form: its `inputTokens` leave out what was read from and written to the cache. */
export function readUsage(value: unknown): TokenUsage | null {
  const usage = asObject(value);
  const input = firstCount(usage?.inputTokens);
  const output = firstCount(usage?.outputTokens);
  if (input === null && output === null) return null;
  // Told twice, under two names.
  const cacheRead = firstCount(usage?.cacheReadInputTokens, usage?.cacheReadInputTokenCount);
  const cacheWrite = firstCount(usage?.cacheWriteInputTokens, usage?.cacheWriteInputTokenCount);
  return {
    ...noUsage,
    input: (input ?? 0) + (cacheRead ?? 0) + (cacheWrite ?? 0),
    output,
    cacheRead,
    cacheWrite,
  };
}
