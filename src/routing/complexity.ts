/** How hard a call is for a model, from easy to hard. */
export const levels = ['simple', 'medium', 'complex'] as const;
export type Complexity = (typeof levels)[number];

/** Below so many tokens a call with one of the keywords is simple. */
export const simpleTokens = 100;
/** From so many tokens on every call is complex. */
export const complexTokens = 500;
export const keywords = ['classify', 'yes or no', 'true or false', 'extract'] as const;

/** The keyword that a short call has; null: none. Case does not count, parts of words do ("extraction"). */
export function keywordIn(texts: readonly string[]): string | null {
  const lower = texts.join('\n').toLowerCase();
  return keywords.find((word) => lower.includes(word)) ?? null;
}

/**
 * The base rules: under 100 tokens and a keyword → simple; under 500 tokens → medium; else complex. `tokens`
 * need be exact up to 500 alone.
 */
export function baseComplexity(tokens: number, texts: readonly string[]): Complexity {
  if (tokens >= complexTokens) return 'complex';
  return tokens < simpleTokens && keywordIn(texts) !== null ? 'simple' : 'medium';
}

/** From these scores on a call is medium, and complex. */
export interface Thresholds {
  medium: number;
  complex: number;
}

export function scoredComplexity(score: number, { medium, complex }: Thresholds): Complexity {
  return score >= complex ? 'complex' : score >= medium ? 'medium' : 'simple';
}
