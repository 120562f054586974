/** The dialects of chats, which are translated into each other. */
export const dialectNames = [
  'openai-chat',
  'openai-responses',
  'anthropic-messages',
  'gemini-generate',
] as const;
export type DialectName = (typeof dialectNames)[number];

/** What providers are spoken to in: Amazon Bedrock's Converse is translated to, and not from. */
export const spokenNames = [...dialectNames, 'bedrock-converse'] as const;
export type SpokenName = (typeof spokenNames)[number];

/** What of a request may be left out where its model’s provider cannot say it (docs/translation.md). */
export const hints = [
  'argument-streaming',
  'caching',
  'image-detail',
  'metadata',
  'names',
  'paid-tier',
  'partial-arguments',
  'phase',
  'prediction',
  'seed',
  'storage',
  'stream-options',
  'thinking',
  'tier',
  'video-settings',
] as const;
export type Hint = (typeof hints)[number];
