import type { Effort, Reasoning } from './neutral.ts';

/** Tokens that an effort may take of models that think by a budget; `steps` leads back. */
export const budgets: Record<Effort, number> = {
  none: 0,
  minimal: 1_024,
  low: 4_096,
  medium: 8_192,
  high: 16_384,
  xhigh: 24_576,
  max: 24_576,
};

const steps: readonly [below: number, effort: Effort][] = [
  [1, 'none'],
  [2_000, 'minimal'],
  [6_000, 'low'],
  [12_000, 'medium'],
  [24_000, 'high'],
  [Number.POSITIVE_INFINITY, 'xhigh'],
];

/** The effort that is asked for, in words or by what a budget of tokens amounts to. */
export function effortOf({ effort, budget }: Reasoning): Effort | null {
  if (effort !== null || budget === null || budget < 0) return effort;
  return steps.find(([below]) => budget < below)?.[1] ?? null;
}
