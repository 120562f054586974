import { thinkingFor } from '../../anthropic-messages/neutral/thinking.ts';
import { effortOf } from '../../effort.ts';
import type { JsonObject } from '../../json.ts';
import type { Effort, NeutralRequest } from '../../neutral.ts';

/** OpenAI's, Amazon's and Alibaba's models know three. */
const three: Record<Exclude<Effort, 'none'>, string> = {
  minimal: 'low',
  low: 'low',
  medium: 'medium',
  high: 'high',
  xhigh: 'high',
  max: 'high',
};

type Write = (request: NeutralRequest, model: string) => JsonObject | null;

/** By the beginning of a model's name behind its region: how it is told to think, among the members of its own. */
const families: [name: RegExp, write: Write][] = [
  [/(^|\.)anthropic\.claude-/, writeClaude],
  [/(^|\.)openai\.gpt-oss-/, byEffort((effort) => ({ reasoning_effort: effort }))],
  [
    /(^|\.)amazon\.nova-2-/,
    byEffort((effort) => ({ reasoningConfig: { type: 'enabled', maxReasoningEffort: effort } })),
  ],
  [/(^|\.)qwen\./, byEffort((effort) => ({ reasoning_config: effort }))],
];

/** null: weir does not know how the model is told to think. */
export function thinkingOf(model: string): Write | null {
  return families.find(([name]) => name.test(model))?.[1] ?? null;
}

function byEffort(write: (effort: string) => JsonObject): Write {
  return ({ reasoning }) => {
    const effort = reasoning && effortOf(reasoning);
    return effort === null || effort === 'none' ? null : write(three[effort]);
  };
}

/** As in its own Messages (docs.aws.amazon.com, "Extended thinking"). */
function writeClaude(request: NeutralRequest, model: string): JsonObject | null {
  const target = { model, maxTokens: request.maxTokens ?? Number.MAX_SAFE_INTEGER };
  const { thinking, effort } = thinkingFor(request, target, 'bedrock-converse');
  if (!thinking && effort === null) return null;
  // Whether it is shown is not asked there.
  const { display: _, ...asked } = thinking ?? {};
  return { ...(thinking && { thinking: asked }), ...(effort !== null && { output_config: { effort } }) };
}
