import { type DialectName, dialectNames } from '../config/dialects.ts';
import { neutralMessages } from './anthropic-messages/neutral/index.ts';
import { neutralGemini } from './gemini-generate/neutral/index.ts';
import type { NeutralDialect } from './neutral-dialect.ts';
import { neutralChat } from './openai-chat/neutral/index.ts';
import { neutralResponses } from './openai-responses/neutral/index.ts';

/** The dialects that read and write the neutral form. */
export const neutralDialects: Record<DialectName, NeutralDialect> = {
  'openai-chat': neutralChat,
  'openai-responses': neutralResponses,
  'anthropic-messages': neutralMessages,
  'gemini-generate': neutralGemini,
};

/** null: a dialect that is not translated. */
export function neutralName(dialect: string): DialectName | null {
  return dialectNames.find((name) => name === dialect) ?? null;
}
