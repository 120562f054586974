import { byIndex, type Combine, dropped, joined, last, lists, objects, once, same } from '../gather.ts';
import { asArray, asObject, type JsonObject } from '../json.ts';
import { completionForms } from '../openai/completion-replay.ts';
import { replayOf } from '../replay.ts';
import { content, reasoningDetails, sound } from './content.ts';
import { deltasOf } from './deltas.ts';

const called = objects({ name: same, arguments: joined, input: joined }, once);

/** What the deltas of a message say, by member. */
const message: Record<string, Combine> = {
  role: same,
  content,
  refusal: joined,
  reasoning: joined,
  reasoning_content: joined,
  reasoning_details: reasoningDetails,
  annotations: lists,
  tool_calls: byIndex({ index: dropped, id: same, type: same, function: called, custom: called }, once),
  function_call: called,
  audio: objects({ data: sound, transcript: joined, expires_at: last }, same),
};

const choices = byIndex(
  {
    delta: objects(message, once),
    finish_reason: last,
    logprobs: objects({ content: lists, refusal: lists }, once),
  },
  same,
);

/** A choice of a plain answer has a message, and that has its content, be it null. */
function withMessage({ index, delta, ...others }: JsonObject): JsonObject {
  return { index: index ?? 0, message: { role: 'assistant', content: null, ...asObject(delta) }, ...others };
}

export const replay = replayOf(
  completionForms({
    object: { whole: 'chat.completion', chunk: 'chat.completion.chunk' },
    choices: (values) => asArray(choices(values)).map((choice) => withMessage(asObject(choice) ?? {})),
    deltas: deltasOf,
  }),
);
