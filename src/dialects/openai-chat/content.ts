import { CannotGather, type Combine, gather, joined, lists, same } from '../gather.ts';
import { asArray, asObject, asString, type JsonObject } from '../json.ts';

/** A text in pieces, or with Mistral lists of parts among them: thoughts, then the text. */
export const content: Combine = (values) => {
  if (!values.some((value) => Array.isArray(value))) return joined(values);
  const parts = values.flatMap((value) =>
    typeof value === 'string' ? [{ type: 'text', text: value }] : asArray(value),
  );
  return joinParts(parts);
};

/** Texts and thoughts that follow each other are one; what has other members stays by itself. */
function joinParts(parts: unknown[]): JsonObject[] {
  const whole: JsonObject[] = [];
  for (const each of parts) {
    const part = asObject(each);
    if (!part) throw new CannotGather('it is no part');
    const before = whole.at(-1);
    if (part.text === '' && isOnly(part, 'text')) continue;
    if (before && isOnly(before, 'text') && isOnly(part, 'text')) {
      whole[whole.length - 1] = {
        ...part,
        text: `${asString(before.text) ?? ''}${asString(part.text) ?? ''}`,
      };
    } else if (before && isOnly(before, 'thinking') && isOnly(part, 'thinking')) {
      const thinking = joinParts([...asArray(before.thinking), ...asArray(part.thinking)]);
      whole[whole.length - 1] = { ...part, thinking };
    } else whole.push(part);
  }
  return whole;
}

function isOnly(part: JsonObject, type: string): boolean {
  return part.type === type && Object.keys(part).every((name) => name === 'type' || name === type);
}

/** OpenRouter's: each has a type and an index, and comes in pieces of text, then a signature. */
export const reasoningDetails: Combine = (values) => {
  const parts = lists(values);
  if (!Array.isArray(parts)) return parts;
  const groups = new Map<string, JsonObject[]>();
  for (const [place, each] of parts.entries()) {
    const part = asObject(each);
    if (!part) throw new CannotGather('it is no part');
    const group = JSON.stringify([part.type ?? null, part.index ?? `at ${place}`]);
    groups.set(group, [...(groups.get(group) ?? []), part]);
  }
  return [...groups.values()].map((group) => gather(group, { text: joined, summary: joined }, same));
};

/** Sound in base64, each piece by itself. */
export const sound: Combine = (values) => {
  const texts = values.filter((value) => typeof value === 'string');
  return Buffer.concat(texts.map((text) => Buffer.from(text, 'base64'))).toString('base64');
};
