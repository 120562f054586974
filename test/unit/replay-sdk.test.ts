// A kept answer gives the object that each official SDK makes of it, whichever form it was kept in.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { type GenerateContentResponse, GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import type { KeptReply } from '../../src/dialects/dialect.ts';
import { corpusMissing } from '../fixtures/corpus.ts';
import { given, type Storable, serveReplies, storable } from '../fixtures/kept.ts';

type Json = Record<string, unknown>;
/** What the SDK makes of a reply that is served at an address. */
type Client = (url: string, streamed: boolean) => Promise<unknown>;

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

/** Without members that are null, and without those of these names. */
function without(names: readonly string[], value: unknown): unknown {
  if (Array.isArray(value)) return value.map((each) => without(names, each));
  if (typeof value !== 'object' || value === null) return value;
  const left = Object.entries(value).filter(([name, each]) => each !== null && !names.includes(name));
  return Object.fromEntries(left.map(([name, each]) => [name, without(names, each)]));
}

/** Both forms of each storable exchange, through the SDK. */
async function compare(
  t: TestContext,
  form: string,
  {
    ask,
    path,
    allowed,
    except,
  }: {
    ask: Client;
    /** Of the other form. */
    path?: (each: Storable) => string;
    /** Members that may differ. */
    allowed: readonly string[];
    /** Exchanges that the SDK itself does not read. */
    except?: (each: Storable) => boolean;
  },
): Promise<void> {
  const url = await serveReplies(t);
  const read = async (reply: KeptReply) => without(allowed, plain(await ask(url(reply), reply.streamed)));
  let forms = 0;
  for (const each of storable(form)) {
    if (except?.(each)) continue;
    const { exchange, kept } = each;
    const other = given(each, { streamed: !kept.streamed, path: path?.(each) ?? each.path });
    assert(other, `${exchange.id} can be given in the other form`);
    assert.deepEqual(await read(other), await read(kept), exchange.id);
    const again = given(each, {});
    assert.deepEqual(again?.chunks, kept.chunks, 'byte for byte, with the cuts of the recording');
    forms++;
  }
  t.diagnostic(`${forms} exchanges of ${form}`);
  assert(forms > 0);
}

const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: 'Hi' }];

test('OpenAI’s SDK: chat', { skip: corpusMissing }, async (t) => {
  await compare(t, 'openai-chat', {
    async ask(baseURL, streamed) {
      const { chat } = new OpenAI({ baseURL, apiKey: 'k', maxRetries: 0 });
      return streamed
        ? chat.completions.stream({ model: 'm', messages }).finalChatCompletion()
        : chat.completions.create({ model: 'm', messages });
    },
    allowed: [
      'parsed', // of the SDK's helper for streams
      'index', // of a tool call: a few providers tell it in plain answers, the SDK takes it out of streams
      'reasoning', // the SDK keeps the last piece of what it does not know; see the test of the members
      'reasoning_content',
      'native_finish_reason', // likewise: OpenRouter ends with a chunk that has none
      'reasoning_details',
    ],
    // The SDK takes contents for texts and wants calls to have a type: Mistral has lists of thoughts, and no
    // type. Snowflake names places for what it has not, with empty texts in them. And to a call without
    // arguments the SDK adds empty ones.
    except: ({ exchange }) =>
      ['mistral', 'snowflake'].includes(exchange.provider) ||
      exchange.id.includes('test_openrouter_tool_optional_parameters'),
  });
});

test('OpenAI’s SDK: responses', { skip: corpusMissing }, async (t) => {
  await compare(t, 'openai-responses', {
    async ask(baseURL, streamed) {
      const { responses } = new OpenAI({ baseURL, apiKey: 'k', maxRetries: 0 });
      return streamed
        ? responses.stream({ model: 'm', input: 'Hi' }).finalResponse()
        : responses.create({ model: 'm', input: 'Hi' });
    },
    allowed: ['parsed', 'parsed_arguments', 'output_parsed'], // of the SDK's helper for streams
  });
});

test('Anthropic’s SDK: messages', { skip: corpusMissing }, async (t) => {
  const body = { model: 'm', max_tokens: 1, messages: [{ role: 'user' as const, content: 'Hi' }] };
  await compare(t, 'anthropic-messages', {
    async ask(baseURL, streamed) {
      const { beta } = new Anthropic({ baseURL, apiKey: 'k', maxRetries: 0 });
      return streamed ? beta.messages.stream(body).finalMessage() : beta.messages.create(body);
    },
    allowed: ['parsed_output'], // of the SDK's helper for streams
  });
});

/** What an application reads of one answer, or of the chunks of a stream. */
function merged(chunks: GenerateContentResponse[]): Json {
  const parts = chunks.flatMap((chunk) => chunk.candidates?.[0]?.content?.parts ?? []);
  const text = (isThought: boolean) =>
    parts.flatMap((part) => ((part.thought ?? false) === isThought ? [part.text ?? ''] : [])).join('');
  const { candidates, usageMetadata, ...rest } = plain(Object.assign({}, ...chunks)) as Json & {
    candidates: Json[];
  };
  const { content, ...end } = Object.assign({}, ...chunks.map((chunk) => chunk.candidates?.[0])) as Json;
  return {
    ...rest,
    ...end,
    role: (content as Json | undefined)?.role,
    usage: usageMetadata,
    text: text(false),
    thoughts: text(true),
    calls: parts.flatMap((part) => part.functionCall ?? []),
    data: parts.flatMap((part) => part.inlineData ?? []),
    signatures: parts.flatMap((part) => part.thoughtSignature ?? []),
    candidates: candidates.length,
  };
}

test('Google’s SDK: generateContent', { skip: corpusMissing }, async (t) => {
  await compare(t, 'gemini-generate', {
    async ask(baseUrl, streamed) {
      const { models } = new GoogleGenAI({ apiKey: 'k', httpOptions: { baseUrl } });
      const asked = { model: 'm', contents: 'Hi' };
      if (!streamed) return merged([await models.generateContent(asked)]);
      const chunks: GenerateContentResponse[] = [];
      for await (const chunk of await models.generateContentStream(asked)) chunks.push(chunk);
      return merged(chunks);
    },
    path: ({ path }) => `${path.replace(':generate', ':streamGenerate')}?alt=sse`,
    // Of the SDK, beside what the provider said; and what it leaves out.
    allowed: ['sdkHttpResponse', 'finishMessage'],
  });
});

test('Google’s streams without events, which its SDK does not ask for', {
  skip: corpusMissing,
}, async (t) => {
  await compare(t, 'gemini-generate', {
    async ask(url) {
      const answer = await (await fetch(url)).json();
      return merged(Array.isArray(answer) ? answer : [answer]);
    },
    path: ({ path }) => path.replace(':generate', ':streamGenerate'),
    allowed: [],
    // The recorded streams are events.
    except: ({ kept }) => kept.streamed,
  });
});
