import type { Conversation } from '../dialects/conversation.ts';

/** What the scorer is told of a question, by name. All are numbers; a flag is 0 or 1. */
export const featureNames = [
  'length',
  'words',
  'word_length',
  'vocabulary',
  'sentences',
  'lines',
  'digits',
  'capitals',
  'maths',
  'symbols',
  'code',
  'other_scripts',
  'quotes',
  'commas',
  'options',
  'option_length',
  'option_spread',
  'numeric_options',
  'options_echo',
  'all_or_none',
  'stem_length',
  'asks',
  'blank',
  'which_of',
  'negation',
  'superlative',
  'quantity',
  'premises',
  'constraints',
  'statements',
  'years',
  'age',
  'money',
] as const;
export type FeatureName = (typeof featureNames)[number];

/** Patterns that are counted, or looked for. One pass each: they are simple on purpose. */
const counted = {
  code: /```|\b(?:function|class|def|return|import|const|SELECT|public|void)\b|[{};]\s*$/gm,
  negation: /\b(?:not|except|never|least|neither|cannot|without)\b/gi,
  premises: /\b(?:if|suppose|assume|given|let|consider|when|after|because)\b/gi,
  constraints:
    /\b(?:must|should|at least|at most|exactly|only|no more than|ensure|avoid|include|between)\b/gi,
  years: /\b(?:1[0-9]|20)\d\d\b/g,
} as const;
const looked = {
  which_of: /\bof the following\b/i,
  superlative: /\b(?:most|best|likely|primary|main|first)\b/i,
  quantity:
    /\bhow (?:many|much|long|far|old)\b|\b(?:calculate|compute|evaluate|find the|what is the (?:value|sum|probability|number|total))\b/i,
  statements: /\b(?:statement|scenario) (?:1|2|i)\b/i,
  age: /\b\d+[- ]year[- ]old\b/i,
  money: /[$€£¥]\s?\d/,
} as const;

const option = /^\s*\(?([A-Ha-h1-8])[.)]\s+(.*)$/;
const letterRun = /[a-z]+/g;

/** The features of a text, in the order of `featureNames`. Linear in its length; 10 KB take well under a millisecond. */
export function featuresOf(text: string): Float64Array {
  const lines = text.split('\n');
  const options = lines.flatMap((line) => option.exec(line)?.[2]?.trim() ?? []);
  const stem =
    options.length < 2
      ? text
      : lines
          .slice(
            0,
            lines.findIndex((line) => option.test(line)),
          )
          .join('\n');
  const chars = countChars(text);
  const size = Math.max(1, text.length);
  const values: Record<FeatureName, number> = {
    length: Math.log1p(text.length),
    words: Math.log1p(chars.words),
    word_length: chars.words === 0 ? 0 : chars.letters / chars.words,
    vocabulary: chars.distinct / (1 + chars.words),
    sentences: chars.ends,
    lines: lines.length,
    digits: chars.digits / size,
    capitals: chars.capitals / size,
    maths: chars.maths / size,
    symbols: chars.logic,
    code: count(counted.code, text),
    other_scripts: chars.foreign / size,
    quotes: chars.quotes,
    commas: chars.commas,
    ...optionFeatures(options, stem),
    stem_length: Math.log1p(stem.length),
    asks: /\?\s*$/.test(stem) ? 2 : /[:.]\s*$/.test(stem) ? 1 : 0,
    blank: stem.includes('__') ? 1 : 0,
    which_of: look(looked.which_of, text),
    negation: count(counted.negation, text),
    superlative: look(looked.superlative, text),
    quantity: look(looked.quantity, text),
    premises: count(counted.premises, text),
    constraints: count(counted.constraints, text),
    statements: look(looked.statements, text),
    years: count(counted.years, text),
    age: look(looked.age, text),
    money: look(looked.money, text),
  };
  return Float64Array.from(featureNames, (name) => values[name]);
}

function count(pattern: RegExp, text: string): number {
  let found = 0;
  pattern.lastIndex = 0;
  while (pattern.test(text)) found++;
  return found;
}

function look(pattern: RegExp, text: string): number {
  return pattern.test(text) ? 1 : 0;
}

/** How the answers look that one may choose from. */
function optionFeatures(options: string[], stem: string) {
  const lengths = options.map(({ length }) => length);
  const mean = lengths.reduce((sum, each) => sum + each, 0) / Math.max(1, lengths.length);
  const spread = Math.sqrt(
    lengths.reduce((sum, each) => sum + (each - mean) ** 2, 0) / Math.max(1, lengths.length),
  );
  const known = new Set(stem.toLowerCase().match(letterRun));
  const said: string[] = options.flatMap((each) => each.toLowerCase().match(letterRun) ?? []);
  return {
    options: options.length,
    option_length: Math.log1p(mean),
    option_spread: spread / (1 + mean),
    numeric_options: options.filter((each) => /^[\s$–-]*[\d.,/%√π]/.test(each) && each.length < 16).length,
    options_echo: said.filter((word) => known.has(word)).length / (1 + said.length),
    all_or_none: options.some((each) => /\b(?:all|none|both|neither)\b/i.test(each)) ? 1 : 0,
  };
}

/** One scan over the characters. Words are runs of ASCII letters, told apart by a hash. */
function countChars(text: string) {
  const found = {
    letters: 0,
    capitals: 0,
    digits: 0,
    maths: 0,
    logic: 0,
    foreign: 0,
    quotes: 0,
    commas: 0,
    ends: 0,
  };
  const distinct = new Set<number>();
  let words = 0;
  let word = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const low = code | 32;
    if (low >= 97 && low <= 122 && code < 128) {
      found.letters++;
      if (code < 97) found.capitals++;
      word = Math.imul(word ^ low, 0x01000193) | 1;
      continue;
    }
    if (word !== 0) {
      words++;
      distinct.add(word);
      word = 0;
    }
    if (code <= 32) continue;
    if (code >= 48 && code <= 57) found.digits++;
    else if (code === 44) found.commas++;
    else if (code === 46 || code === 63 || code === 33) found.ends++;
    else if (code === 34 || code === 0x201c || code === 0x201d) found.quotes++;
    else if (code < 128) found.maths += mathsChars[code] ?? 0;
    else if (code >= 0x2190 && code <= 0x22ff) found.logic++;
    else found.foreign++;
  }
  if (word !== 0) distinct.add(word);
  return { ...found, words: words + (word === 0 ? 0 : 1), distinct: distinct.size };
}
const mathsChars = new Uint8Array(128);
for (const char of '=+*/^<>_\\{}[]()|%') mathsChars[char.charCodeAt(0)] = 1;

/** What of a conversation beside its question makes it harder, by name; all 0 for a question alone. */
export function surroundings({
  turns,
  toolCount,
  needs,
  chars,
  question,
}: Conversation): Record<string, number> {
  return {
    depth: Math.max(0, turns - 1),
    tools: toolCount,
    context: Math.log1p(Math.max(0, chars - question.length)),
    schema: needs.jsonSchema ? 1 : 0,
    media: needs.vision || needs.audio || needs.files ? 1 : 0,
    reasoning: needs.reasoning ? 1 : 0,
  };
}
