import type { Effort, Reasoning } from '../neutral.ts';

/** OpenAI's models that think: the o-series, gpt-5 and later, codex and gpt-oss. */
const reasoning = /(^|\/)(o\d|gpt-([5-9]|\d\d)|gpt-oss|codex)/;

export const isReasoning = (model: string) => reasoning.test(model);

/** What a budget of tokens amounts to; the steps are those of `budgetFor`. */
const steps: readonly [below: number, effort: Effort][] = [
  [1, 'none'],
  [2_000, 'minimal'],
  [6_000, 'low'],
  [12_000, 'medium'],
  [32_000, 'high'],
  [Number.POSITIVE_INFINITY, 'xhigh'],
];

export function effortOf({ effort, budget }: Reasoning): Effort | null {
  if (effort !== null || budget === null || budget < 0) return effort;
  return steps.find(([below]) => budget < below)?.[1] ?? null;
}

/**
 * The effort that a model of OpenAI's takes. One that does not think has nothing to turn off; gpt-5 knows
 * `minimal` and not yet `none`.
 */
export function effortFor(reasoning: Reasoning | null, model: string): Effort | null {
  const effort = reasoning && effortOf(reasoning);
  if (effort !== 'none') return effort;
  if (!isReasoning(model)) return null;
  return /(^|\/)gpt-5(-|$)/.test(model) ? 'minimal' : 'none';
}
