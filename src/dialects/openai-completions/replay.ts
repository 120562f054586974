import { byIndex, joined, last, lists, objects, once, same } from '../gather.ts';
import { asString, type JsonObject } from '../json.ts';
import { completionForms } from '../openai/completion-replay.ts';
import { pieces } from '../pieces.ts';
import { replayOf } from '../replay.ts';

const logprobs = objects(
  { tokens: lists, token_logprobs: lists, top_logprobs: lists, text_offset: lists },
  once,
);

export const replay = replayOf(
  completionForms({
    object: { whole: 'text_completion', chunk: 'text_completion' },
    choices: byIndex({ text: joined, finish_reason: last, logprobs }, same),
    deltas: deltasOf,
  }),
);

/** The text of a choice in pieces; in one where its log probabilities come with it. */
function deltasOf({ text, logprobs: odds, finish_reason, ...others }: JsonObject): JsonObject[] {
  const whole = asString(text) ?? '';
  const hasOdds = (odds ?? null) !== null;
  const parts = hasOdds ? [whole] : pieces(whole);
  return [
    ...parts.map((part) => ({
      index: others.index,
      text: part,
      logprobs: odds ?? null,
      finish_reason: null,
    })),
    { ...others, text: '', logprobs: null, finish_reason },
  ];
}
