import { Piscina } from 'piscina';
import type { CountTask } from './worker.ts';

const timeoutMs = 30_000;

/** Tokens of texts; `exact` is false where no public tokenizer is the model's own. */
export interface TokenCount {
  tokens: number;
  exact: boolean;
}

/** About four bytes of English a token; other scripts and code take fewer: a guess, in one scan. */
export function estimateTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 4);
}

/**
 * Counts with tiktoken in a worker thread: loading an encoding blocks for a quarter of a second. Never
 * rejects: what cannot be counted in time is estimated.
 */
export function createCounter() {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const pool = new Piscina<CountTask, number>({
    filename: new URL(`./worker.${extension}`, import.meta.url).href,
    minThreads: 0,
    maxThreads: 1,
    idleTimeout: 60_000,
    maxQueue: 1_000,
  });
  return {
    async count(model: string | null, texts: string[]): Promise<TokenCount> {
      if (texts.length === 0) return { tokens: 0, exact: true };
      const { encoding, exact } = encodingOf(model ?? '');
      try {
        const tokens = await pool.run({ encoding, texts }, { signal: AbortSignal.timeout(timeoutMs) });
        return { tokens, exact };
      } catch {
        return { tokens: texts.reduce((sum, text) => sum + estimateTokens(text), 0), exact: false };
      }
    },
    close: () => pool.destroy(),
  };
}

/** OpenAI's models are exact; for others the newest of its encodings is as good a guess as any. */
export function encodingOf(model: string): { encoding: CountTask['encoding']; exact: boolean } {
  const name = model.toLowerCase().replace(/^.*\//, '');
  if (/^(gpt-4(?!o|\.)|gpt-3\.5|text-embedding)/.test(name)) return { encoding: 'cl100k_base', exact: true };
  return { encoding: 'o200k_base', exact: /^(gpt-|chatgpt-|o\d)/.test(name) };
}
