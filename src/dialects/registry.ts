import type { ProviderConfig } from '../config/schema.ts';
import { anthropicMessages } from './anthropic-messages/index.ts';
import { bedrockConverse } from './bedrock-converse/index.ts';
import { bedrockInvoke } from './bedrock-invoke/index.ts';
import { cohereChat } from './cohere-chat/index.ts';
import { cohereEmbed } from './cohere-embed/index.ts';
import type { Dialect } from './dialect.ts';
import { geminiEmbeddings } from './gemini-embeddings/index.ts';
import { geminiGenerate } from './gemini-generate/index.ts';
import { openaiChat } from './openai-chat/index.ts';
import { openaiCompletions } from './openai-completions/index.ts';
import { openaiEmbeddings } from './openai-embeddings/index.ts';
import {
  openaiResponses,
  openaiResponsesCompact,
  openaiResponsesRetrieve,
} from './openai-responses/index.ts';

type Api = ProviderConfig['api'];

/** Which dialect is spoken at an endpoint; the first match counts. `api: null`: with providers of any family. */
const endpoints: readonly [api: Api | null, method: string, endpoint: RegExp, dialect: Dialect][] = [
  // Google, Bedrock and Cohere have endpoints in OpenAI's form as well.
  [null, 'POST', /(^|\/)chat\/completions$/, openaiChat],
  ['openai', 'POST', /(^|\/)completions$/, openaiCompletions],
  [null, 'POST', /(^|\/)responses$/, openaiResponses],
  ['openai', 'POST', /(^|\/)responses\/compact$/, openaiResponsesCompact],
  ['openai', 'GET', /(^|\/)responses\/[^/]+$/, openaiResponsesRetrieve],
  ['openai', 'POST', /(^|\/)embeddings$/, openaiEmbeddings],
  ['anthropic', 'POST', /(^|\/)messages$/, anthropicMessages],
  ['gemini', 'POST', /:(generateContent|streamGenerateContent)$/, geminiGenerate],
  ['gemini', 'POST', /:(embedContent|batchEmbedContents|predict)$/, geminiEmbeddings],
  ['bedrock', 'POST', /\/model\/.+\/converse(-stream)?$/, bedrockConverse],
  ['bedrock', 'POST', /\/model\/.+\/invoke(-with-response-stream)?$/, bedrockInvoke],
  ['cohere', 'POST', /(^|\/)chat$/, cohereChat],
  ['cohere', 'POST', /(^|\/)embed$/, cohereEmbed],
];

/** What is asked at endpoints that pass untouched. */
const operations: readonly [endpoint: RegExp, operation: string][] = [
  [/(count[_-]tokens|:countTokens|responses\/input_tokens|(^|\/)tokenize)$/, 'count_tokens'],
  [/(^|\/)models(\/|$)/, 'models'],
  [/(^|\/)(files|uploads)(\/|$)/, 'files'],
  [/(^|\/)images\//, 'images'],
  [/(^|\/)audio\//, 'audio'],
  [/(^|\/)(messages\/)?batches(\/|$)|:batchGenerateContent$/, 'batch'],
  [/(^|\/)moderations$/, 'moderation'],
  [/(^|\/)realtime(\/|$)/, 'realtime'],
];

const byName = new Map(endpoints.map(([, , , dialect]) => [dialect.name, dialect]));

export const dialects: readonly Dialect[] = [...byName.values()];

/** undefined: not a call that weir looks into; it passes untouched. */
export function findDialect(api: Api, method: string, endpoint: string): Dialect | undefined {
  return endpoints.find(
    ([family, verb, pattern]) =>
      (family === null || family === api) && verb === method && pattern.test(endpoint),
  )?.[3];
}

/** What a call that weir does not look into asks for, as far as its path tells. */
export function uninspectedOperation(endpoint: string): string {
  return operations.find(([pattern]) => pattern.test(endpoint))?.[1] ?? 'uninspected';
}

/** Throws when there is none: names come from weir itself. */
export function dialectByName(name: string): Dialect {
  const dialect = byName.get(name);
  if (!dialect) throw new Error(`no dialect ${name}`);
  return dialect;
}
