import { asArray, asObject, asString, type JsonObject } from '../json.ts';
import { pieces } from '../pieces.ts';

/**
 * A choice of a plain answer as the choices of chunks. First who speaks, with all that is not cut: OpenAI's
 * SDK keeps but the last of what it does not know, such as reasoning. Then the text, the calls, and the
 * reason of the end.
 */
export function deltasOf({ index, message, finish_reason, logprobs, ...others }: JsonObject): JsonObject[] {
  const { content, refusal, tool_calls, function_call, audio, ...rest } = asObject(message) ?? {};
  const chunk = (delta: JsonObject, odds: unknown = null): JsonObject => ({
    index,
    delta,
    ...(logprobs !== undefined && { logprobs: odds }),
    finish_reason: null,
  });
  const odds = asObject(logprobs);
  const calls = asArray(tool_calls);
  const opening = {
    ...rest,
    ...(content !== undefined && { content: typeof content === 'string' ? '' : null }),
    ...(refusal !== undefined && { refusal: refusal === '' ? '' : null }),
    ...(tool_calls !== undefined && calls.length === 0 && { tool_calls }),
  };
  const hasTokens = [odds?.content, odds?.refusal].some((tokens) => asArray(tokens).length > 0);
  return [
    chunk(opening, hasTokens ? null : odds),
    ...asArray(content).map((part) => chunk({ content: [part] })),
    ...texts('content', content, odds).map(([delta, own]) => chunk(delta, own)),
    ...texts('refusal', refusal, odds).map(([delta, own]) => chunk(delta, own)),
    ...legacyCall(function_call).map((part) => chunk({ function_call: part })),
    ...calls
      .flatMap((call, place) => callParts(asObject(call), place))
      .map((part) => chunk({ tool_calls: [part] })),
    // A place that is kept for a sound and has none is no sound.
    ...(asString(asObject(audio)?.id) ? [chunk({ audio })] : []),
    { ...chunk({}), ...others, finish_reason },
  ];
}

const maxChunks = 16;
const minTokens = 8;

/** A text in pieces, each with the log probabilities of its tokens. */
function texts(
  name: 'content' | 'refusal',
  value: unknown,
  odds: JsonObject | null,
): [JsonObject, unknown][] {
  const text = asString(value) ?? '';
  const tokens = asArray(odds?.[name]).map(asObject);
  if (tokens.length === 0) return pieces(text).map((piece) => [{ [name]: piece }, null]);
  const words = tokens.map((token) => asString(token?.token) ?? '');
  const isKnown = Object.keys(odds ?? {}).every((each) => each === 'content' || each === 'refusal');
  // A token can be a part of a character: then its text is not of the text.
  if (!isKnown || words.join('') !== text) return [[{ [name]: text }, odds]];
  const size = Math.max(minTokens, Math.ceil(tokens.length / maxChunks));
  const starts = [...tokens.keys()].filter((at) => at % size === 0);
  return starts.map((at) => [
    { [name]: words.slice(at, at + size).join('') },
    { content: null, refusal: null, [name]: tokens.slice(at, at + size) },
  ]);
}

/** A place that is kept for a call and has none is no call. */
function legacyCall(value: unknown): JsonObject[] {
  const call = asObject(value);
  if (!asString(call?.name)) return [];
  const parts = pieces(asString(call?.arguments) ?? '');
  return [{ ...call, arguments: '' }, ...parts.map((part) => ({ arguments: part }))];
}

/** A call of a tool: its name first, then its arguments in pieces. */
function callParts(call: JsonObject | null, index: number): JsonObject[] {
  const called = asObject(call?.function);
  const custom = asObject(call?.custom);
  const opening = {
    ...call,
    index,
    ...(called && { function: emptied(called, 'arguments') }),
    ...(custom && { custom: emptied(custom, 'input') }),
  };
  return [
    opening,
    ...pieces(asString(called?.arguments) ?? '').map((part) => ({ index, function: { arguments: part } })),
    ...pieces(asString(custom?.input) ?? '').map((part) => ({ index, custom: { input: part } })),
  ];
}

function emptied(called: JsonObject, name: string): JsonObject {
  return name in called ? { ...called, [name]: '' } : called;
}
