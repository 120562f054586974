import { type DialectName, dialectNames, type SpokenName, spokenNames } from '../config/dialects.ts';
import { neutralMessages } from './anthropic-messages/neutral/index.ts';
import { converse } from './bedrock-converse/neutral/index.ts';
import { neutralGemini } from './gemini-generate/neutral/index.ts';
import type { NeutralDialect, SpokenDialect } from './neutral-dialect.ts';
import { neutralChat } from './openai-chat/neutral/index.ts';
import { neutralResponses } from './openai-responses/neutral/index.ts';

/** The dialects that read and write the neutral form. */
export const neutralDialects: Record<DialectName, NeutralDialect> = {
  'openai-chat': neutralChat,
  'openai-responses': neutralResponses,
  'anthropic-messages': neutralMessages,
  'gemini-generate': neutralGemini,
};

/** The dialects that providers are spoken to in. */
export const spokenDialects: Record<SpokenName, SpokenDialect> = {
  ...neutralDialects,
  'bedrock-converse': converse,
};

/** null: a dialect that is not translated. */
export function neutralName(dialect: string): DialectName | null {
  return dialectNames.find((name) => name === dialect) ?? null;
}

/** null: a dialect that nothing is translated to. */
export function spokenName(dialect: string): SpokenName | null {
  return spokenNames.find((name) => name === dialect) ?? null;
}
