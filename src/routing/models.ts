import type { ProviderConfig } from '../config/schema.ts';
import type { Needs } from '../dialects/conversation.ts';

/** What is known of a model beside its price and its context window, which the price table has. */
export interface ModelFacts {
  /** Whose it is: the family of dialects it is spoken to in; null: not known. */
  api: ProviderConfig['api'] | null;
  /** What it cannot do. */
  lacks: readonly (keyof Needs)[];
  /** Before anything is measured: time to the first token, and tokens a second. Rough, by size. */
  prior: { firstMs: number; tokensPerSecond: number };
}

type Lacks = ModelFacts['lacks'];
const fast = { firstMs: 400, tokensPerSecond: 100 };
const steady = { firstMs: 700, tokensPerSecond: 60 };
const slow = { firstMs: 1_200, tokensPerSecond: 30 };
/** Thinks before it speaks. */
const thinking = { firstMs: 6_000, tokensPerSecond: 60 };

const textOnly: Lacks = ['vision', 'audio', 'files', 'jsonSchema', 'reasoning'];

/**
 * By family, the first match counts. Sources: OpenAI's model pages and its guide "Structured model outputs"
 * (json_schema from gpt-4o-2024-08-06 on; JSON mode from gpt-3.5-turbo-1106 on, not in gpt-4-0613),
 * its guide "Reasoning" (no temperature, max_tokens and the like); Anthropic's "Models overview" and "Structured outputs"
 * (Sonnet 4.5, Opus 4.1 and later); Google's "Gemini models". A model that is newer than these is taken to do
 * what its family last did.
 */
const families: readonly [RegExp, ModelFacts['api'], Lacks, ModelFacts['prior']][] = [
  [/^gpt-3\.5/, 'openai', textOnly, fast],
  [/^gpt-4-(turbo|vision|1106|0125)/, 'openai', ['audio', 'files', 'jsonSchema', 'reasoning'], slow],
  [/^gpt-4(-0|-32k|$)/, 'openai', [...textOnly, 'jsonMode'], slow],
  [/^gpt-4o(-mini)?-audio|^gpt-audio/, 'openai', ['vision', 'files', 'jsonSchema', 'reasoning'], steady],
  [/^(gpt-4o-mini|gpt-4\.1-(mini|nano))/, 'openai', ['audio', 'reasoning'], fast],
  [/^(gpt-4o|gpt-4\.1|gpt-4\.5|chatgpt)/, 'openai', ['audio', 'reasoning'], steady],
  [
    /^o1-(mini|preview)/,
    'openai',
    ['tools', 'vision', 'audio', 'files', 'jsonSchema', 'jsonMode', 'sampling'],
    thinking,
  ],
  [/^o3-mini/, 'openai', ['vision', 'audio', 'sampling'], thinking],
  [/^o\d/, 'openai', ['audio', 'sampling'], thinking],
  [
    /^gpt-(5(\.\d+)?-(mini|nano)|\d+(\.\d+)?-luna)/,
    'openai',
    ['audio', 'sampling'],
    { ...fast, firstMs: 1_500 },
  ],
  [/^gpt-[5-9]/, 'openai', ['audio', 'sampling'], thinking],
  [/^claude-(3-haiku)/, 'anthropic', ['audio', 'jsonSchema', 'jsonMode', 'reasoning'], fast],
  [/^claude-(2|3-sonnet|3-opus|3-5)/, 'anthropic', ['audio', 'jsonSchema', 'jsonMode', 'reasoning'], steady],
  [/^claude-(3-7|(opus|sonnet)-4-0)/, 'anthropic', ['audio', 'jsonSchema', 'jsonMode'], steady],
  [/^claude-haiku/, 'anthropic', ['audio', 'jsonMode'], fast],
  [/^claude-/, 'anthropic', ['audio', 'jsonMode'], steady],
  [/^gemini-(1|2\.0)/, 'gemini', ['reasoning'], fast],
  [/^gemini-.*(flash|lite)/, 'gemini', [], fast],
  [/^gemini-/, 'gemini', [], steady],
];

const unknown: ModelFacts = { api: null, lacks: [], prior: steady };

/** A model that no family matches is taken to be able: who puts it into a table knows it. */
export function modelFacts(model: string): ModelFacts {
  const name = model.toLowerCase().replace(/^.*\//, '');
  const found = families.find(([pattern]) => pattern.test(name));
  if (!found) return unknown;
  const [, api, lacks, prior] = found;
  return { api, lacks, prior };
}
