/** Gemini's major version by the model's name: `gemini-2.5-flash` → 2; null: not told. */
function major(model: string): number | null {
  const [, found] = /gemini-(\d+)/.exec(model) ?? [];
  return found === undefined ? null : Number(found);
}

/** Up to 2.5 thinking has a budget of tokens, from 3 on a level (Google, "Gemini thinking"). */
export const thinksByBudget = (model: string) => (major(model) ?? 3) < 3;

/** From 3 on calls of this turn must carry the signature that they came with (Google, "Thought signatures"). */
export const wantsSignatures = (model: string) => (major(model) ?? 3) >= 3;

/** What Google takes in the place of a signature for calls that another model made. */
export const noSignature = 'skip_thought_signature_validator';
