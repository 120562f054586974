import { effortOf } from '../effort.ts';
import type { Effort, Reasoning } from '../neutral.ts';

/** OpenAI's models that think: the o-series, gpt-5 and later, codex and gpt-oss. */
const reasoning = /(^|\/)(o\d|gpt-([5-9]|\d\d)|gpt-oss|codex)/;

export const isReasoning = (model: string) => reasoning.test(model);

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
