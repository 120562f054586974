import type { DialectName, SpokenName } from '../config/dialects.ts';
import type { Own } from './own.ts';

/**
 * The neutral form: what the chat dialects can all say, in words of none of them. Each dialect reads it
 * and writes it (`<dialect>/neutral/`), so that n dialects need 2n translations and not n².
 *
 * null always means: not said. `own` is what only the dialect that was read can say; its writer puts it
 * back, and for every other one the table in translate/cannot.ts judges it.
 */
export interface NeutralRequest {
  /** The dialect it was read from, whose words every `own` in it holds. */
  dialect: DialectName;
  /** The model as the caller names it. */
  model: string | null;
  /** Whether the answer comes as server-sent events. */
  stream: boolean | null;
  /** The conversation in its order, instructions included: turns of `system` before all others are the system prompt. */
  turns: Turn[];
  /** What the model may call, in the order of the request. */
  tools: Tool[];
  /** Whether and what the model has to call. */
  toolChoice: ToolChoice | null;
  /** Whether one answer may hold several calls. */
  parallelCalls: boolean | null;
  /** The form of the answer, where it is not free text. */
  output: JsonOutput | null;
  /** Tokens of the answer at most, thinking included. */
  maxTokens: number | null;
  /** Texts before which the answer ends. */
  stop: string[] | null;
  /** Sampling temperature: 0 to 2, with Anthropic 0 to 1. */
  temperature: number | null;
  /** Nucleus sampling: the share of probability that is drawn from, 0 to 1. */
  topP: number | null;
  /** How many of the likeliest tokens are drawn from. */
  topK: number | null;
  /** Equal seeds give like answers, as far as the provider can. */
  seed: number | null;
  /** Against tokens in proportion to how often they came, −2 to 2. */
  frequencyPenalty: number | null;
  /** Against tokens that came at all, −2 to 2. */
  presencePenalty: number | null;
  /** How much the model thinks before it answers. */
  reasoning: Reasoning | null;
  /** The end user, as the application names them to the provider. */
  user: string | null;
  /** The class of service that is paid for. */
  tier: Tier | null;
  openai?: OpenaiMembers;
  own?: Own;
}

/** Members that both dialects of OpenAI have with one name and one meaning: carried between those two as they are. */
export type OpenaiMembers = Record<string, unknown>;

export interface Turn {
  /** Who speaks; `tool` holds results alone. `unknown`: its one part is the whole of it, as it came. */
  role: 'system' | 'user' | 'assistant' | 'tool' | 'unknown';
  /** What is said, in order. */
  parts: Part[];
  own?: Own;
}

export type Part = ContentPart | CallPart | ResultPart | ThinkingPart;
/** What a message is made of, beside calls, results and thinking. */
export type ContentPart = TextPart | RefusalPart | MediaPart | UnknownPart;

export interface TextPart {
  kind: 'text';
  /** As it is; may be empty. */
  text: string;
  openai?: OpenaiMembers;
  own?: Own;
}

export interface RefusalPart {
  kind: 'refusal';
  /** In which words the model declined. */
  text: string;
  own?: Own;
}

export interface MediaPart {
  kind: 'image' | 'audio' | 'file';
  /** As in `image/png`; null: the dialect does not tell it. */
  mediaType: string | null;
  /** Where the bytes are: in base64 here, behind a URL, or in the provider's own store under an id. */
  source: { data: string } | { url: string } | { id: string };
  /** The name of the file. */
  name: string | null;
  /** How closely an image is looked at: `low`, `high`, `auto`. */
  detail: string | null;
  openai?: OpenaiMembers;
  own?: Own;
}

export interface CallPart {
  kind: 'call';
  /** By which the result names it; '' where the dialect has none. */
  id: string;
  /** The tool. */
  name: string;
  /** JSON in text as the model wrote it (OpenAI), or what it parses to (Anthropic, Gemini). */
  args: unknown;
  own?: Own;
}

export interface ResultPart {
  kind: 'result';
  /** The id of the call it answers; '' where the dialect has none. */
  id: string;
  /** The tool; null where only the id tells it. */
  name: string | null;
  /** What the tool gave: texts, images, files. */
  parts: ContentPart[];
  /** The tool failed; OpenAI leaves it to the text to say so. */
  isError: boolean | null;
  own?: Own;
}

export interface ThinkingPart {
  kind: 'thinking';
  /** What may be read of it; '' when nothing may. */
  text: string;
  /** Whose it is, and by what its provider knows it again in a later request. */
  signature: Signature;
  own?: Own;
}

/** A client that speaks another dialect keeps it in the words of that, and sends it back as it was. */
export interface Signature {
  /** The dialect whose provider made it. */
  origin: SpokenName;
  /** Opaque; '' when there is none. */
  value: string;
  /** The thinking itself is in the value, encrypted, and there is no text (`redacted_thinking`). */
  sealed: boolean;
}

/** What the neutral form has no word for. */
export interface UnknownPart {
  kind: 'unknown';
  /** The member that it stood in, by its name in its dialect: `content`, `tool_calls`. */
  at: string;
  /** As it came. */
  value: unknown;
}

/** A function of the application, or, as it came, a tool that only its dialect knows. */
export type Tool = FunctionTool | { kind: 'unknown'; value: unknown; own?: Own };

export interface FunctionTool {
  kind: 'function';
  /** As the model calls it. */
  name: string;
  /** What it does, for the model. */
  description: string | null;
  /** JSON Schema of its arguments; null: it takes none. */
  schema: Record<string, unknown> | null;
  /** The arguments are made to follow the schema exactly. */
  strict: boolean | null;
  own?: Own;
}

export interface ToolChoice {
  /** `auto`: the model decides; `any`: it must call; `none`: it must not. */
  mode: 'auto' | 'any' | 'none';
  /** The only tools that it may call; null: all. */
  names: string[] | null;
  own?: Own;
}

export interface JsonOutput {
  /** JSON Schema of the answer; null: any JSON object. */
  schema: Record<string, unknown> | null;
  /** How the schema is called. */
  name: string | null;
  /** What it is for, for the model. */
  description: string | null;
  /** The answer is made to follow the schema exactly. */
  strict: boolean | null;
  own?: Own;
}

/** From none to all that the model has; each dialect takes the nearest that it knows. */
export const efforts = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'] as const;
export type Effort = (typeof efforts)[number];

export interface Reasoning {
  /** How hard it thinks; null: as the model likes. */
  effort: Effort | null;
  /** Tokens of thinking at most. */
  budget: number | null;
  /** Whether the thinking is shown, summarised where the provider does so. */
  show: boolean | null;
}

export type Tier = 'default' | 'flex' | 'priority';
