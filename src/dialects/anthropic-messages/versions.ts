/** Claude's version by the model's name, whoever serves it: `claude-sonnet-4-5-20250929` → [4, 5]; null: not told. */
function version(model: string): [major: number, minor: number] | null {
  const [, before, after] = /claude-(?:(\d[\d.-]*)-[a-z]+|[a-z]+-(\d[\d.-]*))/.exec(model) ?? [];
  const [major, minor = '0'] = (before ?? after ?? '').split(/[.-]/).filter((part) => part !== '');
  if (major === undefined) return null;
  // What is longer is a date.
  return [Number(major), minor.length > 2 ? 0 : Number(minor)];
}

function isBefore(model: string, major: number, minor: number): boolean {
  const found = version(model);
  return found !== null && (found[0] < major || (found[0] === major && found[1] < minor));
}

/**
 * Up to 4.5 thinking has a budget of tokens; from 4.6 on the model decides, with an effort, and 4.7 refuses
 * budgets (Anthropic, "Extended thinking").
 */
export const thinksByBudget = (model: string) => isBefore(model, 4, 6);

/** From 4.8 on instructions may stand within the conversation (Anthropic, "Mid-conversation system messages"). */
export const takesLateSystem = (model: string) => !isBefore(model, 4, 8);

/** The most tokens that an answer may have (Anthropic, "Models overview"); Messages demands a limit. */
export function mostTokens(model: string): number {
  if (isBefore(model, 3, 5)) return 4_096;
  if (isBefore(model, 3, 7)) return 8_192;
  return /claude-opus-4(-[01])?(-2|@|$)/.test(model) ? 32_000 : 64_000;
}
