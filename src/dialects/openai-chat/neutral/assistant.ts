import { callId } from '../../ids.ts';
import { asArray, asObject, asString, type JsonObject } from '../../json.ts';
import type { CallPart, ContentPart, Part, Signature, ThinkingPart, UnknownPart } from '../../neutral.ts';
import { Members, type Own, type Pen } from '../../own.ts';
import { readSignature, tagged, unsigned } from '../../signature.ts';
import { parseObject } from '../../stream.ts';
import { argsText } from '../../turns.ts';
import { readContent, writeContent } from './parts.ts';

/** What an assistant says in a message, of a request or of a reply: thinking, content, refusal, calls. */
export function readAssistant(m: Members): Part[] {
  const thinking = readThinking(m);
  const content = readContent(m);
  const refusal = m.string('refusal');
  const calls = (m.list('tool_calls') ?? []).map(readCall);
  // Some say of each answer that it is none: with an empty one.
  if (refusal !== null) m.spell('refusal', refusal === '' ? 'empty' : 'told');
  return [
    ...thinking,
    ...content,
    ...(refusal === null || refusal === '' ? [] : [{ kind: 'refusal', text: refusal } as const]),
    ...calls,
  ];
}

/**
 * OpenAI shows no thinking in Chat. Others do: as `reasoning_content` (DeepSeek, vLLM, xAI) or `reasoning`
 * (OpenRouter, Groq), OpenRouter with `reasoning_details` to be handed back.
 */
function readThinking(m: Members): ThinkingPart[] {
  const plain = m.string('reasoning_content');
  const text = plain ?? m.string('reasoning');
  const details = m.list('reasoning_details');
  if (text === null && !details) return [];
  m.spell('thinking', {
    name: plain === null ? 'reasoning' : 'reasoning_content',
    details,
    told: text !== null,
  });
  const parts = asArray(details).flatMap((each): ThinkingPart[] => {
    const detail = asObject(each) ?? {};
    const signature = signatureOf(detail);
    const own = signature && signature.origin !== 'openai-chat' ? asString(detail.text) : null;
    return signature ? [{ kind: 'thinking', text: own ?? '', signature }] : [];
  });
  if (parts.some((part) => part.text !== '')) return parts;
  // A text and its signature are one thought.
  const [first, ...rest] = parts;
  if (first && !first.signature.sealed) return [{ ...first, text: text ?? '' }, ...rest];
  return text === null ? parts : [{ kind: 'thinking', text, signature: unsigned('openai-chat') }, ...parts];
}

/** Of a detail that has one. One of this dialect is kept with all that stands beside it. */
export function signatureOf(detail: JsonObject): Signature | null {
  const sealed = detail.type === 'reasoning.encrypted';
  const value = asString(sealed ? detail.data : detail.signature);
  if (value === null) return null;
  const read = readSignature(value, 'openai-chat', sealed);
  const { text: _, ...kept } = detail;
  return read.origin === 'openai-chat' ? { ...read, value: JSON.stringify(kept) } : read;
}

function readCall(value: unknown): CallPart | UnknownPart {
  const unknown = { kind: 'unknown', at: 'tool_calls', value } as const;
  const m = new Members(asObject(value) ?? {});
  const f = m.within('function');
  const [name, args] = [f?.string('name'), f?.string('arguments')];
  const id = m.string('id');
  m.spell('index', m.number('index'));
  // Some leave the type out.
  if (!m.has('type')) m.spell('type', 'none');
  else if (m.word('type', ['function']) === null) return unknown;
  if (typeof name !== 'string' || typeof args !== 'string' || id === null) return unknown;
  return { kind: 'call', id, name, args, ...m.own() };
}

interface Spoken {
  parts: Part[];
  own?: Own;
}

/** The members of an assistant's message. */
export function writeAssistant(turn: Spoken, pen: Pen): JsonObject {
  const refusals = turn.parts.filter((part) => part.kind === 'refusal');
  const as = pen.spelled(turn, 'refusal');
  const asMember = pen.same ? (as === 'told' ? 1 : 0) : refusals.length;
  const told = new Set(refusals.slice(refusals.length - asMember));
  const content: ContentPart[] = [];
  const calls: unknown[] = [];
  for (const part of turn.parts) {
    if (part.kind === 'call') calls.push(writeCall(part, pen));
    else if (part.kind === 'unknown' && part.at === 'tool_calls') calls.push(part.value);
    else if (part.kind === 'refusal' && told.has(part)) continue;
    else if (part.kind !== 'thinking' && part.kind !== 'result') content.push(part);
  }
  return {
    ...writeThinking(turn, pen),
    content: writeContent(content, turn, pen),
    refusal: told.size > 0 ? [...told].map(({ text }) => text).join('') : as === 'empty' ? '' : null,
    tool_calls: calls.length > 0 ? calls : null,
  };
}

function writeCall(part: CallPart, pen: Pen): JsonObject {
  const { name, args } = part;
  const id = pen.same ? part.id : callId(part.id, 'openai-chat');
  const type = pen.spelled(part, 'type') === 'none' ? null : 'function';
  const index = pen.spelled(part, 'index');
  return pen.give({ id, type, index, function: { name, arguments: argsText(args) } }, part);
}

function writeThinking(turn: Spoken, pen: Pen): JsonObject {
  const thoughts = turn.parts.filter((part) => part.kind === 'thinking');
  const [first] = thoughts;
  if (!first) return {};
  const text = thoughts.map((each) => each.text).join('');
  const as = asObject(pen.spelled(turn, 'thinking'));
  if (as)
    return { ...(as.told === true && { [asString(as.name) ?? '']: text }), reasoning_details: as.details };
  const details = thoughts.flatMap(({ signature, text: own }, index) =>
    signature.value === '' ? [] : [writeDetail(signature, index, own)],
  );
  return { reasoning_content: text || null, reasoning_details: details.length > 0 ? details : null };
}

/** A signature in OpenRouter's form, which SDKs keep in a message that is sent again. */
export function writeDetail(signature: Signature, index: number, text = ''): JsonObject {
  if (signature.origin === 'openai-chat') return parseObject(signature.value) ?? {};
  const value = tagged(signature, 'openai-chat');
  return signature.sealed
    ? { type: 'reasoning.encrypted', data: value, index }
    : { type: 'reasoning.text', text, signature: value, index };
}
