/**
 * The counts of one exchange in normal form. `input` includes cached reads and writes, `output` includes
 * reasoning; the others are parts of those two: `cacheWrite5m` and `cacheWrite1h` of `cacheWrite`,
 * `cacheReadAudio` and its like of `cacheRead`; `inputTool` is prompt that the provider's own tools made.
 */
export const usageNames = [
  'input',
  'output',
  'cacheRead',
  'cacheWrite',
  'cacheWrite5m',
  'cacheWrite1h',
  'reasoning',
  'inputAudio',
  'inputImage',
  'inputVideo',
  'inputTool',
  'outputAudio',
  'outputImage',
  'cacheReadAudio',
  'cacheReadImage',
  'cacheReadVideo',
] as const;

/** Tokens; null: the provider did not tell. */
export type TokenUsage = Record<(typeof usageNames)[number], number | null>;

export const noUsage = Object.fromEntries(usageNames.map((name) => [name, null])) as TokenUsage;

/** What one answer was billed for at the price of one model. */
export interface UsagePart {
  /** null: the model of the answer. */
  model: string | null;
  usage: TokenUsage;
}

/** The sum of counts; a part that nobody told stays null. */
export function addUsage(a: TokenUsage, b: TokenUsage): TokenUsage {
  const sums = usageNames.map((name) => [name, plus(a[name], b[name])]);
  return Object.fromEntries(sums) as TokenUsage;
}

function plus(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : a + b;
}
