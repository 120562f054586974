import type { SpokenName } from '../../../config/dialects.ts';
import { budgets, effortOf } from '../../effort.ts';
import { asObject, type JsonObject } from '../../json.ts';
import { type Effort, efforts, type NeutralRequest, type Reasoning } from '../../neutral.ts';
import type { Members, Pen } from '../../own.ts';
import { thinksByBudget } from '../versions.ts';

const leastBudget = 1_024;

/** `thinking` with `output_config.effort`; both are written again as they were. */
export function readThinking(m: Members, config: Members | null): Reasoning | null {
  const thinking = m.read('thinking', (value) => {
    const object = asObject(value);
    const known =
      object && Object.keys(object).every((name) => ['type', 'budget_tokens', 'display'].includes(name));
    return known && ['enabled', 'adaptive', 'disabled'].includes(String(object.type)) ? object : null;
  });
  const effort = config?.word('effort', efforts) ?? null;
  if (!thinking && effort === null) return null;
  m.spell('thinking', thinking);
  m.spell('effort', effort);
  const budget =
    thinking?.type === 'enabled' && typeof thinking.budget_tokens === 'number'
      ? thinking.budget_tokens
      : null;
  return {
    effort: thinking?.type === 'disabled' ? 'none' : effort,
    budget,
    show: thinking && thinking.type !== 'disabled' ? thinking.display !== 'omitted' : null,
  };
}

/** What a model takes of it: a budget up to 4.5, an effort from then on. */
export function writeThinking(
  request: NeutralRequest,
  target: { model: string; maxTokens: number },
  pen: Pen,
): { thinking: JsonObject | null; effort: unknown } {
  return pen.same
    ? { thinking: asObject(pen.spelled(request, 'thinking')), effort: pen.spelled(request, 'effort') }
    : thinkingFor(request, target, 'anthropic-messages');
}

/** `spoken`: whose signatures the model knows again. */
export function thinkingFor(
  request: NeutralRequest,
  target: { model: string; maxTokens: number },
  spoken: SpokenName,
): { thinking: JsonObject | null; effort: Effort | null } {
  const { reasoning } = request;
  if (!reasoning) return { thinking: null, effort: null };
  const byBudget = thinksByBudget(target.model);
  const effort = effortOf(reasoning);
  if (effort === 'none') return { thinking: { type: 'disabled' }, effort: null };
  const display = reasoning.show === null ? {} : { display: reasoning.show ? 'summarized' : 'omitted' };
  if (!byBudget) {
    const thinking = effort === null && reasoning.show === null ? null : { type: 'adaptive', ...display };
    return { thinking, effort: effort === 'minimal' ? 'low' : effort };
  }
  if (isUnsignedLoop(request, spoken)) return { thinking: null, effort: null };
  const wanted = reasoning.budget ?? (effort && budgets[effort]);
  if (wanted === null || wanted < 0) return { thinking: null, effort: null };
  const budget_tokens = Math.max(leastBudget, Math.min(wanted, target.maxTokens - leastBudget));
  return { thinking: { type: 'enabled', budget_tokens, ...display }, effort: null };
}

/**
 * Results of calls whose thinking did not come back: by its dialect the client keeps none. Models with a
 * budget refuse to think on in such a turn, so they finish it without.
 */
function isUnsignedLoop({ turns }: NeutralRequest, spoken: SpokenName): boolean {
  const last = turns.findLast(({ role }) => role === 'assistant');
  const calls = last?.parts.some(({ kind }) => kind === 'call');
  const isLoop = turns.at(-1)?.parts.some(({ kind }) => kind === 'result');
  const signed = last?.parts.some((part) => part.kind === 'thinking' && part.signature.origin === spoken);
  return calls === true && isLoop === true && signed !== true;
}
