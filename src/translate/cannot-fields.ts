import { spokenNames } from '../config/dialects.ts';
import { takesLateSystem, thinksByBudget } from '../dialects/anthropic-messages/versions.ts';
import { formatOf as converseFormatOf } from '../dialects/bedrock-converse/neutral/blocks.ts';
import { thinkingOf } from '../dialects/bedrock-converse/neutral/thinking.ts';
import { misplacesFiles } from '../dialects/bedrock-converse/neutral/write-request.ts';
import { asObject } from '../dialects/json.ts';
import { mediaTypeOf } from '../dialects/media.ts';
import type { MediaPart, NeutralRequest, Part } from '../dialects/neutral.ts';
import { formatOf } from '../dialects/openai-chat/neutral/parts.ts';
import { argsValue, joinTurns, splitSystem } from '../dialects/turns.ts';
import { anyPart, type Judged, mapParts, type Row } from './row.ts';

const others = ['anthropic-messages', 'gemini-generate', 'bedrock-converse'] as const;

/** The rows of what the neutral form has words for, and not every dialect. */
export const fields: readonly Row[] = [
  {
    id: 'stop',
    what: 'texts before which the answer ends',
    says: {
      'openai-chat': ['stop'],
      'anthropic-messages': ['stop_sequences'],
      'gemini-generate': ['generationConfig.stopSequences'],
    },
    to: ['openai-responses'],
    why: 'Responses has none; for these models `dialect: openai-chat` has',
    when: ({ stop }) => stop !== null && stop.length > 0,
  },
  {
    id: 'top-k',
    what: 'drawing from the k likeliest tokens',
    says: { 'anthropic-messages': ['top_k'], 'gemini-generate': ['generationConfig.topK'] },
    why: 'OpenAI and Converse have only `top_p`',
    when: ({ topK }) => topK !== null,
  },
  {
    id: 'seed',
    what: 'a seed for like answers',
    says: { 'openai-chat': ['seed'], 'gemini-generate': ['generationConfig.seed'] },
    why: 'they have none',
    hint: true,
    when: ({ seed }) => seed !== null,
    without: (request) => ({ ...request, seed: null }),
  },
  {
    id: 'penalties',
    what: 'penalties on frequency and presence',
    says: {
      'openai-chat': ['frequency_penalty', 'presence_penalty'],
      'gemini-generate': ['generationConfig.frequencyPenalty', 'generationConfig.presencePenalty'],
    },
    why: 'they have none',
    when: ({ frequencyPenalty, presencePenalty }) =>
      (frequencyPenalty ?? 0) !== 0 || (presencePenalty ?? 0) !== 0,
  },
  {
    id: 'temperature',
    what: 'a temperature above 1',
    says: {
      'openai-chat': ['temperature'],
      'openai-responses': ['temperature'],
      'gemini-generate': ['generationConfig.temperature'],
    },
    to: ['anthropic-messages', 'bedrock-converse'],
    why: 'Anthropic’s and Converse’s end at 1',
    when: ({ temperature }) => (temperature ?? 0) > 1,
  },
  {
    id: 'one-call-at-a-time',
    what: 'that calls come one by one',
    says: {
      'openai-chat': ['parallel_tool_calls'],
      'openai-responses': ['parallel_tool_calls'],
      'anthropic-messages': ['tool_choice.disable_parallel_tool_use'],
    },
    why: 'Gemini and Converse may always call several',
    when: ({ parallelCalls, tools }) => parallelCalls === false && tools.length > 0,
  },
  {
    id: 'some-tools',
    what: 'a choice of some of the tools',
    says: {
      'openai-chat': ['tool_choice'],
      'openai-responses': ['tool_choice'],
      'gemini-generate': ['toolConfig.functionCallingConfig.allowedFunctionNames'],
    },
    why: 'Anthropic and Converse take one or all: offer only these',
    when: ({ toolChoice }) =>
      toolChoice?.names != null && (toolChoice.names.length !== 1 || toolChoice.mode !== 'any'),
  },
  {
    id: 'json-without-schema',
    what: 'any JSON object as the answer',
    says: {
      'openai-chat': ['response_format'],
      'openai-responses': ['text.format'],
      'gemini-generate': ['generationConfig.responseMimeType'],
    },
    why: 'Anthropic and Converse want a JSON Schema',
    when: ({ output }) => output !== null && !output.schema,
  },
  {
    id: 'paid-tier',
    what: 'flex and priority processing',
    says: {
      'openai-chat': ['service_tier'],
      'openai-responses': ['service_tier'],
      'gemini-generate': ['serviceTier'],
    },
    to: ['anthropic-messages'],
    why: 'Anthropic has other classes of service',
    hint: true,
    when: ({ tier }) => tier === 'flex' || tier === 'priority',
    without: (request) => ({ ...request, tier: null }),
  },
  {
    id: 'late-system',
    what: 'instructions after the first message',
    says: {
      'openai-chat': ['messages[]'],
      'openai-responses': ['input[]'],
      'anthropic-messages': ['messages[]'],
    },
    to: others,
    why: 'Gemini and Converse have none, and Claude before 4.8: put them at the beginning',
    when: (request, { dialect, model }) =>
      splitSystem(request.turns).rest.some(({ role }) => role === 'system') &&
      (dialect !== 'anthropic-messages' || !takesLateSystem(model)),
  },
  {
    id: 'thinking',
    what: 'thinking that another provider’s model did',
    says: {
      'openai-chat': ['messages[].reasoning_content', 'messages[].reasoning_details'],
      'openai-responses': ['input[].type=reasoning'],
      'anthropic-messages': ['messages[].content[].type=thinking'],
      'gemini-generate': ['contents[].parts[].thought'],
    },
    to: spokenNames,
    why: 'it is signed or sealed for the model that did it; each provider gets its own back',
    hint: true,
    when: (request, { dialect }) => hasForeignThinking(request, dialect),
    without: (request) => mapParts(request, (part) => (part.kind === 'thinking' ? undefined : part)),
  },
  {
    id: 'little-room-to-think',
    what: 'thinking within a limit of 1,024 tokens or fewer',
    says: {
      'openai-chat': ['reasoning_effort'],
      'openai-responses': ['reasoning.effort'],
      'gemini-generate': ['generationConfig.thinkingConfig'],
    },
    to: ['anthropic-messages', 'bedrock-converse'],
    why: 'Claude up to 4.5 thinks with 1,024 tokens at least: raise the limit',
    when: ({ reasoning, maxTokens }, { model }) =>
      thinksByBudget(model) && wantsThinking(reasoning) && maxTokens !== null && maxTokens <= 1_024,
  },
  {
    id: 'how-to-think',
    what: 'how hard a model thinks',
    says: {
      'openai-chat': ['reasoning_effort'],
      'openai-responses': ['reasoning.effort'],
      'anthropic-messages': ['thinking'],
      'gemini-generate': ['generationConfig.thinkingConfig'],
    },
    to: ['bedrock-converse'],
    why: 'Converse has no word for it, and weir knows that of Claude, GPT-OSS, Nova 2 and Qwen alone',
    when: ({ reasoning }, { dialect, model }) =>
      dialect === 'bedrock-converse' && wantsThinking(reasoning) && thinkingOf(model) === null,
  },
  {
    id: 'calls-without-tools',
    what: 'earlier calls in a request that offers no tools, or forbids to call them',
    says: {
      'openai-chat': ['tool_choice'],
      'openai-responses': ['tool_choice'],
      'anthropic-messages': ['tool_choice'],
      'gemini-generate': ['toolConfig.functionCallingConfig.mode'],
    },
    to: ['bedrock-converse'],
    why: 'Converse wants the tools whose calls are in the conversation, and cannot forbid them: let the choice be auto',
    when: (request) =>
      (request.tools.length === 0 || request.toolChoice?.mode === 'none') &&
      anyPart(request, ({ kind }) => kind === 'call' || kind === 'result'),
  },
  {
    id: 'provider-files',
    what: 'files by their id at the provider',
    says: {
      'openai-chat': ['messages[].content[].file.file_id'],
      'openai-responses': ['input[].content[].file_id'],
      'anthropic-messages': ['messages[].content[].source.file_id'],
      'gemini-generate': ['contents[].parts[].fileData'],
    },
    to: spokenNames,
    why: 'only that provider has them: send the bytes or a URL',
    when: (request) => anyPart(request, (part) => isMedia(part) && 'id' in part.source),
  },
  {
    id: 'audio',
    what: 'sound in the prompt',
    says: {
      'openai-chat': ['messages[].content[].input_audio'],
      'gemini-generate': ['contents[].parts[].inlineData'],
    },
    to: ['openai-chat', 'openai-responses', 'anthropic-messages', 'bedrock-converse'],
    why: 'Anthropic, Converse and Responses take none, Chat MP3 and WAV only, as bytes',
    when: (request, { dialect }) =>
      anyPart(request, (part) => part.kind === 'audio' && (dialect !== 'openai-chat' || !isChatSound(part))),
  },
  {
    id: 'media',
    what: 'images and files of a type, or in a place, that the other does not take',
    says: {
      'openai-chat': ['messages[].content[]'],
      'openai-responses': ['input[].content[]'],
      'anthropic-messages': ['messages[].content[]'],
      'gemini-generate': ['contents[].parts[]'],
    },
    to: spokenNames,
    why: 'Anthropic takes PNG, JPEG, GIF, WebP, PDF and plain text, OpenAI no video, Chat no file by URL, Converse nothing by URL, and Gemini must be told what is behind one',
    when: (request, { dialect }) => anyPart(request, (part) => isMedia(part) && !takes(dialect, part)),
  },
  {
    id: 'files-alone',
    what: 'documents in a message without text, and images and files that a model made',
    says: {
      'openai-chat': ['messages[].content[]'],
      'openai-responses': ['input[].content[]'],
      'anthropic-messages': ['messages[].content[]'],
      'gemini-generate': ['contents[].parts[]'],
    },
    to: ['bedrock-converse'],
    why: 'Converse wants words beside a document, and takes files of users only',
    when: (request) => anyPart(request, isMedia) && misplacesFiles(request),
  },
  {
    id: 'media-in-results',
    what: 'images and files in the result of a tool',
    says: {
      'openai-responses': ['input[].output[]'],
      'anthropic-messages': ['messages[].content[].content[]'],
      'gemini-generate': ['contents[].parts[].functionResponse.parts[]'],
    },
    to: ['openai-chat'],
    why: 'results are text in Chat; for these models `dialect: openai-responses` takes them',
    when: ({ turns }) =>
      turns.some(({ parts }) => parts.some((part) => part.kind === 'result' && part.parts.some(isMedia))),
  },
  {
    id: 'image-detail',
    what: 'how closely an image is looked at',
    says: {
      'openai-chat': ['messages[].content[].image_url.detail'],
      'openai-responses': ['input[].content[].detail'],
    },
    why: 'only OpenAI has it',
    hint: true,
    when: (request) =>
      anyPart(request, (part) => isMedia(part) && part.detail !== null && part.detail !== 'auto'),
    without: (request) => mapParts(request, (part) => (isMedia(part) ? { ...part, detail: null } : part)),
  },
  {
    id: 'arguments',
    what: 'an earlier call whose arguments are no JSON object',
    says: {
      'openai-chat': ['messages[].tool_calls[].function.arguments'],
      'openai-responses': ['input[].arguments'],
    },
    to: others,
    why: 'OpenAI takes any text, the others an object',
    when: (request) => anyPart(request, (part) => part.kind === 'call' && !asObject(argsValue(part.args))),
  },
];

/** Thinking that was kept in pieces is judged as the one that it is. */
function hasForeignThinking(request: NeutralRequest, dialect: Judged['dialect']): boolean {
  const isForeign = (part: Part) => part.kind === 'thinking' && part.signature.origin !== dialect;
  return anyPart(request, isForeign) && anyPart({ ...request, turns: joinTurns(request.turns) }, isForeign);
}

function isMedia(part: { kind: string }): part is MediaPart {
  return part.kind === 'image' || part.kind === 'audio' || part.kind === 'file';
}

function isChatSound({ mediaType, source }: MediaPart): boolean {
  return 'data' in source && formatOf(mediaType) !== null;
}

function wantsThinking(reasoning: NeutralRequest['reasoning']): boolean {
  return (
    reasoning !== null &&
    reasoning.effort !== 'none' &&
    (reasoning.effort !== null || reasoning.budget !== null)
  );
}

const claudeImages = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];

/** Ids and sound have rows of their own. */
function takes(dialect: Judged['dialect'], { kind, mediaType, source }: MediaPart): boolean {
  if ('id' in source || kind === 'audio') return true;
  const isUrl = 'url' in source;
  const type = mediaType ?? (isUrl ? mediaTypeOf(source.url) : null);
  switch (dialect) {
    case 'anthropic-messages':
      if (kind === 'image') return isUrl ? /^https?:/.test(source.url) : claudeImages.includes(type ?? '');
      return type === 'application/pdf' || (type === 'text/plain' && !isUrl);
    case 'gemini-generate':
      return type !== null && (!isUrl || /^https?:/.test(source.url));
    case 'openai-chat':
      return kind === 'image' || (!isUrl && !type?.startsWith('video/'));
    case 'openai-responses':
      return kind === 'image' || !type?.startsWith('video/');
    case 'bedrock-converse':
      return !isUrl && converseFormatOf(kind, type) !== null;
  }
}
