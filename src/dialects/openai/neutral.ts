// What both dialects of OpenAI say in the same way.

import type { DialectName } from '../../config/dialects.ts';
import { asObject, type JsonObject } from '../json.ts';
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

/**
 * `auto`, `none`, `required`, one function, or a choice of them. A function is named in the form of the
 * dialect: `{type, function: {name}}` in Chat, `{type, name}` in Responses.
 */
export function readToolChoice(
  value: unknown,
  form: { name: (tool: JsonObject) => unknown; allowed: (choice: JsonObject) => JsonObject | null },
): ToolChoice | null {
  const modes = { auto: 'auto', none: 'none', required: 'any' } as const;
  const modeOf = (word: unknown) =>
    word === 'auto' || word === 'none' || word === 'required' ? modes[word] : null;
  const plain = modeOf(value);
  if (plain) return { mode: plain, names: null };
  const choice = asObject(value);
  if (!choice) return null;
  if (choice.type === 'function') {
    const name = form.name(choice);
    return typeof name === 'string' ? { mode: 'any', names: [name] } : null;
  }
  const allowed = choice.type === 'allowed_tools' ? form.allowed(choice) : null;
  const mode = modeOf(allowed?.mode);
  if (!mode || !Array.isArray(allowed?.tools)) return null;
  const names = allowed.tools.map((each) => form.name(asObject(each) ?? {}));
  const all = names.filter((name) => typeof name === 'string');
  return all.length === names.length && all.length > 1 ? { mode, names: all } : null;
}

/** The form of the answer as OpenAI takes it; its own is taken as it is. */
export function openaiOutput(output: JsonOutput, from: DialectName): JsonOutput {
  return from === 'openai-chat' || from === 'openai-responses' ? output : strictSchema(output);
}

export const modeWords = { auto: 'auto', none: 'none', any: 'required' } as const;
