import { asArray, asObject, asString, type JsonObject } from './json.ts';

/** So much text of a conversation is held, from its beginning on: far more than any rule needs. */
const maxHeldChars = 32 * 1024;
/** So much of the beginning of the question, and three times as much of its end. */
const questionPartChars = 4 * 1024;

/** What a model must be able to do to answer. */
export interface Needs {
  tools: boolean;
  vision: boolean;
  audio: boolean;
  files: boolean;
  /** An answer that follows a JSON schema; `jsonMode`: that is JSON of any kind. */
  jsonSchema: boolean;
  jsonMode: boolean;
  /** The request says how much to think. */
  reasoning: boolean;
  /** The request sets temperature and the like, which reasoning models refuse. */
  sampling: boolean;
}

/** What is asked, whatever the dialect. Plain data: it crosses from a worker thread. */
export interface Conversation {
  /** All message text, a text an element; what is beyond 32 Ki characters is left out. */
  texts: string[];
  /** Characters of all message text. */
  chars: number;
  /** Instructions and the first message of the user: by them, of long ones by both ends, a conversation is known again. */
  opening: string[];
  /** The last message of the user. */
  question: string;
  /** Messages, instructions left out. */
  turns: number;
  /** Tools that are offered. */
  toolCount: number;
  needs: Needs;
  /** It goes on from what the provider keeps, holds what one model alone can read, or uses the provider's own tools. */
  bound: boolean;
  /** `optimize_for`, `max_latency_ms` and `providers`, as they were sent; null: none was. */
  wishes: JsonObject | null;
}

/** Members of a request that are for weir alone. */
const wishNames = ['optimize_for', 'max_latency_ms', 'providers'] as const;

/** Reads the conversation in a request: the forms of all families have different names, so one reader knows all. */
export function readConversation(request: JsonObject): Conversation | null {
  const messages = messagesOf(request);
  if (!messages) return null;
  const reading = new Reading();
  for (const each of [
    request.system,
    request.instructions,
    request.systemInstruction,
    request.system_instruction,
  ]) {
    reading.message('system', each);
  }
  for (const message of messages)
    reading.message(asString(message.role) ?? 'user', message.content ?? message.parts, message);
  const tools = [
    ...asArray(request.tools),
    ...asArray(request.functions),
    ...asArray(asObject(request.toolConfig)?.tools),
  ];
  const format = formatOf(request);
  return {
    ...reading.conversation(),
    toolCount: tools.length,
    needs: {
      ...reading.media,
      audio: reading.media.audio || asArray(request.modalities).includes('audio'),
      tools: tools.length > 0,
      jsonSchema: format === 'schema',
      jsonMode: format === 'json',
      reasoning: thinks(request),
      sampling: samplingNames.some((name) => (request[name] ?? null) !== null),
    },
    wishes: wishesOf(request),
    bound:
      reading.bound || boundNames.some((name) => (request[name] ?? null) !== null) || tools.some(isHosted),
  };
}

/** Members of OpenAI's chat that its reasoning models refuse. */
const samplingNames = [
  'temperature',
  'top_p',
  'presence_penalty',
  'frequency_penalty',
  'logprobs',
  'logit_bias',
  'max_tokens',
];
const boundNames = [
  'previous_response_id',
  'conversation',
  'background',
  'container',
  'cachedContent',
  'prompt',
  'web_search_options',
];

function wishesOf(request: JsonObject): JsonObject | null {
  const found = wishNames.filter((name) => request[name] !== undefined);
  return found.length === 0 ? null : Object.fromEntries(found.map((name) => [name, request[name]]));
}

function messagesOf(request: JsonObject): JsonObject[] | null {
  if (typeof request.input === 'string') return [{ role: 'user', content: request.input }];
  const list = [request.messages, request.input, request.contents].find(Array.isArray);
  return list ? list.map(asObject).filter((each) => each !== null) : null;
}

function formatOf(request: JsonObject): 'schema' | 'json' | null {
  const generation = asObject(request.generationConfig) ?? asObject(request.generation_config);
  const format =
    asObject(request.response_format) ??
    asObject(asObject(request.text)?.format) ??
    asObject(asObject(request.output_config)?.format) ??
    asObject(request.output_format);
  if (format?.type === 'json_schema' || generation?.responseSchema || generation?.responseJsonSchema)
    return 'schema';
  return format?.type === 'json_object' || generation?.responseMimeType === 'application/json'
    ? 'json'
    : null;
}

function thinks(request: JsonObject): boolean {
  const generation = asObject(request.generationConfig) ?? asObject(request.generation_config);
  const effort =
    request.reasoning_effort ??
    asObject(request.reasoning)?.effort ??
    asObject(request.output_config)?.effort;
  const thinking = asObject(request.thinking) ?? asObject(generation?.thinkingConfig);
  const isOff = thinking?.type === 'disabled' || thinking?.thinkingBudget === 0;
  return (effort !== undefined && effort !== null && effort !== 'none') || (thinking !== null && !isOff);
}

/** A tool that the provider itself carries out: no other provider, and not each of its models, has it. */
function isHosted(tool: unknown): boolean {
  const { type, name, functionDeclarations, function_declarations, toolSpec, parameters, input_schema } =
    asObject(tool) ?? {};
  if (functionDeclarations ?? function_declarations ?? toolSpec ?? parameters ?? input_schema) return false;
  return type === undefined ? name === undefined : type !== 'function' && type !== 'custom';
}

/** Goes through messages once and keeps what is needed of them. */
class Reading {
  readonly media = { vision: false, audio: false, files: false };
  bound = false;
  readonly #texts: string[] = [];
  #held = 0;
  #chars = 0;
  #turns = 0;
  #opening: string[] = [];
  #opened = false;
  #question: string[] = [];

  message(role: string, content: unknown, message: JsonObject = {}): void {
    if (content === undefined && message.type === undefined) return;
    const isSystem = role === 'system' || role === 'developer';
    if (!isSystem) this.#turns++;
    if (message.type === 'reasoning') this.bound = true;
    const texts = typeof content === 'string' ? [content] : this.#parts(content);
    for (const text of texts) this.#keep(text);
    if (role === 'user' && texts.length > 0) this.#question = texts;
    if (!this.#opened && (isSystem || role === 'user')) this.#opening.push(...texts);
    if (!isSystem) this.#opened = true;
  }

  conversation(): Pick<Conversation, 'texts' | 'chars' | 'opening' | 'question' | 'turns'> {
    return {
      texts: this.#texts,
      chars: this.#chars,
      opening: this.#opening.map((text) =>
        text.length <= 4 * questionPartChars ? text : `${bounded(text)}\n${text.length}`,
      ),
      question: bounded(this.#question.join('\n')),
      turns: this.#turns,
    };
  }

  #keep(text: string): void {
    this.#chars += text.length;
    const kept = text.slice(0, maxHeldChars - this.#held);
    this.#held += kept.length;
    if (kept !== '') this.#texts.push(kept);
  }

  /** The texts of a list of parts, or of Google's object of parts. */
  #parts(content: unknown): string[] {
    const parts = Array.isArray(content) ? content : asArray(asObject(content)?.parts);
    return parts.flatMap((each) => {
      const part = asObject(each);
      if (!part) return typeof each === 'string' ? [each] : [];
      this.#look(part);
      const text = asString(part.text);
      return text === null || part.thought === true ? [] : [text];
    });
  }

  #look(part: JsonObject): void {
    const type = asString(part.type) ?? '';
    const data =
      asObject(part.inlineData) ??
      asObject(part.inline_data) ??
      asObject(part.fileData) ??
      asObject(part.file_data);
    const mime = asString(data?.mimeType) ?? asString(data?.mime_type) ?? '';
    if (/^(image|image_url|input_image)$/.test(type) || mime.startsWith('image/') || part.image !== undefined)
      this.media.vision = true;
    else if (/audio/.test(type) || mime.startsWith('audio/')) this.media.audio = true;
    else if (/^(file|input_file|document)$/.test(type) || data !== null || part.document !== undefined)
      this.media.files = true;
    // Thoughts are signed for the model that had them.
    if (/thinking$/.test(type) || part.thoughtSignature !== undefined || part.reasoningContent !== undefined)
      this.bound = true;
  }
}

function bounded(text: string): string {
  if (text.length <= 4 * questionPartChars) return text;
  return `${text.slice(0, questionPartChars)}\n${text.slice(-3 * questionPartChars)}`;
}
