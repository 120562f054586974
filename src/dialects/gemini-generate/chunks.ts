import { asArray, asCount, asObject, asString, type JsonObject } from '../json.ts';
import { pieces } from '../pieces.ts';
import { isText } from './assemble.ts';

/** A whole answer as the chunks of a stream; null: there is nothing to tell. */
export function chunksOf(answer: JsonObject): JsonObject[] | null {
  const { candidates, usageMetadata, ...others } = answer;
  const told = asArray(candidates).flatMap((candidate) => candidateChunks(asObject(candidate) ?? {}));
  if (told.length === 0) return null;
  const usage = asObject(usageMetadata);
  return told.map((candidate, index) => ({
    candidates: [candidate],
    ...(usage && { usageMetadata: index === told.length - 1 ? usage : usageBefore(usage) }),
    ...others,
  }));
}

/** All that a candidate says beside its parts comes with the last of them. */
function candidateChunks({ content, index, ...end }: JsonObject): JsonObject[] {
  const place = index === undefined ? {} : { index };
  const whole = asObject(content);
  if (!whole) return [{ ...(content !== undefined && { content }), ...place, ...end }];
  const { parts, ...others } = whole;
  const told = asArray(parts).flatMap((part) => partChunks(asObject(part) ?? {}));
  const chunks = told.length === 0 ? [whole] : told.map((part) => ({ parts: [part], ...others }));
  return chunks.map((each, at) => ({ content: each, ...(at === chunks.length - 1 && end), ...place }));
}

/** A text in pieces; with Google the signature of one comes behind it, with an empty text. */
function partChunks(part: JsonObject): JsonObject[] {
  const { text, thoughtSignature, ...others } = part;
  const whole = asString(text);
  if (whole === null || !isText({ text, ...others })) return [part];
  const said = pieces(whole).map((piece) => ({ text: piece, ...others }));
  if (thoughtSignature === undefined) return said.length === 0 ? [part] : said;
  return [...said, { text: '', ...others, thoughtSignature }];
}

/** What is known before the last chunk: the prompt, and no candidate. */
function usageBefore(usage: JsonObject): JsonObject {
  const { candidatesTokenCount, candidatesTokensDetails: _, totalTokenCount, ...before } = usage;
  const total = asCount(totalTokenCount);
  return {
    ...before,
    ...(total !== null && { totalTokenCount: total - (asCount(candidatesTokenCount) ?? 0) }),
  };
}
