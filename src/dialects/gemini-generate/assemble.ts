import {
  byIndex,
  CannotGather,
  type Combine,
  first,
  gather,
  last,
  lists,
  objects,
  once,
  same,
} from '../gather.ts';
import { asArray, asObject, asString, type JsonObject } from '../json.ts';

/** Texts that follow each other are one; whatever else a part has keeps it by itself, such as a signature. */
const parts: Combine = (values) => {
  const found = lists(values);
  if (!Array.isArray(found)) return found;
  const whole: JsonObject[] = [];
  for (const each of found) {
    const part = asObject(each);
    const call = asObject(part?.functionCall);
    if (!part || call?.partialArgs !== undefined || call?.willContinue !== undefined) {
      throw new CannotGather('a call comes in pieces');
    }
    const before = whole.at(-1);
    if (isEmptyText(part) && whole.length > 0) continue;
    if (before && isText(before) && isText(part) && before.thought === part.thought) {
      whole[whole.length - 1] = { ...part, text: `${asString(before.text)}${asString(part.text)}` };
    } else if (before && isEmptyText(before)) whole[whole.length - 1] = part;
    else whole.push(part);
  }
  return whole;
};

/** A text, or a thought, and nothing else. */
export function isText(part: JsonObject): boolean {
  return (
    typeof part.text === 'string' && Object.keys(part).every((name) => name === 'text' || name === 'thought')
  );
}

function isEmptyText(part: JsonObject): boolean {
  return isText(part) && part.text === '';
}

const logprobs = objects({ chosenCandidates: lists, topCandidates: lists }, once);

const candidates = byIndex(
  {
    content: objects({ parts }, same),
    finishReason: last,
    finishMessage: last,
    // Told anew with each chunk, of all so far.
    safetyRatings: last,
    tokenCount: last,
    logprobsResult: logprobs,
  },
  same,
);

/** The answer of the chunks of a stream. The counts of the last are of all. Throws CannotGather. */
export function answerOf(chunks: JsonObject[]): JsonObject {
  if (chunks.some((chunk) => chunk.error !== undefined)) throw new CannotGather('it failed');
  const answer = gather(chunks, { candidates, usageMetadata: last, createTime: first }, same);
  const reasons = asArray(answer.candidates).map((candidate) => asObject(candidate)?.finishReason ?? null);
  if (reasons.length === 0 || reasons.includes(null)) throw new CannotGather('it has no end');
  return answer;
}
