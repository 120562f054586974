import type { DialectName, SpokenName } from '../config/dialects.ts';
import type { Asked } from './neutral-dialect.ts';

const replyPrefix: Record<DialectName, string> = {
  'openai-chat': 'chatcmpl-',
  'openai-responses': 'resp_',
  'anthropic-messages': 'msg_',
  'gemini-generate': '',
};

/** The id of a reply in the form of the dialect that asked: the provider's own, with another beginning. */
export function replyId(id: string | null, { dialect, id: fallback }: Asked): string {
  return replyPrefix[dialect] + (id ?? fallback).replace(/^(chatcmpl-|resp_|msg_|gen-)/, '');
}

/**
 * The id of a call in the form of a dialect. A client sends it back, and the provider that made it knows it
 * again; ids of other makes stay as they are.
 */
export function callId(id: string, dialect: SpokenName): string {
  // It takes no other characters, and no more of them.
  if (dialect === 'bedrock-converse') return id.replaceAll(/[^\w-]/g, '_').slice(-64);
  // Anthropic takes no other characters.
  return dialect === 'anthropic-messages'
    ? id.replace(/^call_/, 'toolu_').replaceAll(/[^\w-]/g, '_')
    : id.replace(/^toolu_/, 'call_');
}
