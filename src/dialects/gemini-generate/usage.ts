import { asArray, asCount, asObject, asString, firstCount } from '../json.ts';
import { noUsage, type TokenUsage } from '../usage.ts';

/**
 * `usageMetadata` in normal form: thoughts are output beside the candidates, prompts of the provider's
 * own tools are input beside the prompt, what was cached is inside the prompt.
 */
export function readUsage(value: unknown): TokenUsage | null {
  const usage = asObject(value);
  const prompt = firstCount(usage?.promptTokenCount);
  const tool = firstCount(usage?.toolUsePromptTokenCount);
  const visible = firstCount(usage?.candidatesTokenCount);
  const thoughts = firstCount(usage?.thoughtsTokenCount);
  if (prompt === null && visible === null && thoughts === null) return null;
  const input = byModality(usage?.promptTokensDetails ?? usage?.promptTokenDetails);
  const inputByTools = byModality(usage?.toolUsePromptTokensDetails);
  const cached = byModality(usage?.cacheTokensDetails);
  const output = byModality(usage?.candidatesTokensDetails);
  const both = (name: string) => sum(input.get(name), inputByTools.get(name));
  return {
    ...noUsage,
    input: (prompt ?? 0) + (tool ?? 0),
    output: (visible ?? 0) + (thoughts ?? 0),
    cacheRead: firstCount(usage?.cachedContentTokenCount),
    reasoning: thoughts,
    inputAudio: both('AUDIO'),
    inputImage: both('IMAGE'),
    inputVideo: both('VIDEO'),
    inputTool: tool,
    outputAudio: output.get('AUDIO') ?? null,
    outputImage: output.get('IMAGE') ?? null,
    cacheReadAudio: cached.get('AUDIO') ?? null,
    cacheReadImage: cached.get('IMAGE') ?? null,
    cacheReadVideo: cached.get('VIDEO') ?? null,
  };
}

function byModality(value: unknown): Map<string, number> {
  const counts = new Map<string, number>();
  for (const each of asArray(value)) {
    const detail = asObject(each);
    const modality = asString(detail?.modality);
    const count = asCount(detail?.tokenCount);
    if (modality !== null && count !== null) counts.set(modality, (counts.get(modality) ?? 0) + count);
  }
  return counts;
}

function sum(a: number | undefined, b: number | undefined): number | null {
  return a === undefined && b === undefined ? null : (a ?? 0) + (b ?? 0);
}
