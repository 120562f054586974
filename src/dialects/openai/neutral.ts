// What both dialects of OpenAI say in the same way.
import { isDeepStrictEqual } from 'node:util';

import type { DialectName } from '../../config/dialects.ts';
import { asArray, asObject, type JsonObject } from '../json.ts';
import type { JsonOutput, OpenaiMembers, Tier, ToolChoice } from '../neutral.ts';
import type { Members } from '../own.ts';
import { strictSchema } from '../schema.ts';

const requestMembers = [
  'metadata',
  'moderation',
  'prompt_cache_key',
  'prompt_cache_options',
  'prompt_cache_retention',
  'safety_identifier',
  'store',
  'verbosity',
] as const;

export function readOpenaiMembers(
  m: Members,
  names: readonly string[] = requestMembers,
): { openai?: OpenaiMembers } {
  const found: JsonObject = {};
  let any = false;
  for (const name of names) {
    const value = m.any(name);
    if (value === null) continue;
    found[name] = value;
    any = true;
  }
  return any ? { openai: found } : {};
}

/** Of a text, an image or a file: where a prefix ends that may be cached. */
export const partMembers = ['prompt_cache_breakpoint'] as const;

export const tiers = ['default', 'flex', 'priority'] as const satisfies readonly Tier[];

/** How a dialect names a function, `{type, function: {name}}` or `{type, name}`, and a choice of some. */
export interface ChoiceForm {
  name(tool: JsonObject): unknown;
  tool(name: string): JsonObject;
  allowed(choice: JsonObject): JsonObject | null;
  allow(allowed: JsonObject): JsonObject;
}

const modes = { auto: 'auto', none: 'none', required: 'any' } as const;
const words = { auto: 'auto', none: 'none', any: 'required' } as const;

const modeOf = (word: unknown) =>
  word === 'auto' || word === 'none' || word === 'required' ? modes[word] : null;

/** `auto`, `none`, `required`, one function, or some; null: something else, or something beside it. */
export function readToolChoice(value: unknown, form: ChoiceForm): ToolChoice | null {
  const choice = choiceOf(value, form);
  return choice && isDeepStrictEqual(writeToolChoice(choice, form), value) ? choice : null;
}

function choiceOf(value: unknown, form: ChoiceForm): ToolChoice | null {
  const plain = modeOf(value);
  if (plain) return { mode: plain, names: null };
  const choice = asObject(value) ?? {};
  const named = form.name(choice);
  if (typeof named === 'string') return { mode: 'any', names: [named] };
  const allowed = form.allowed(choice);
  const mode = modeOf(allowed?.mode);
  const names = asArray(allowed?.tools).map((each) => form.name(asObject(each) ?? {}));
  return mode && { mode, names: names.filter((name) => typeof name === 'string') };
}

export function writeToolChoice({ mode, names }: ToolChoice, form: ChoiceForm): unknown {
  if (!names) return words[mode];
  const tools = names.map((name) => form.tool(name));
  return names.length === 1 && mode === 'any' ? tools[0] : form.allow({ mode: words[mode], tools });
}

/** The form of the answer as OpenAI takes it; its own is taken as it is. */
export function openaiOutput(output: JsonOutput, from: DialectName): JsonOutput {
  return from === 'openai-chat' || from === 'openai-responses' ? output : strictSchema(output);
}
