// node.ts openai|anthropic|google plain|streamed: one call as an application makes it, by an official SDK that
// knows nothing of weir. Prints the text of the answer.
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';

const [, , sdk, form] = process.argv;
const isStreamed = form === 'streamed';
const messages = [{ role: 'user' as const, content: 'Where shall I go?' }];

async function openai(): Promise<string> {
  const client = new OpenAI();
  const call = { model: 'gpt-4o-mini', messages };
  if (!isStreamed) {
    const { choices } = await client.chat.completions.create(call);
    return choices[0]?.message.content ?? '';
  }
  let text = '';
  for await (const { choices } of await client.chat.completions.create({ ...call, stream: true }))
    text += choices[0]?.delta.content ?? '';
  return text;
}

async function anthropic(): Promise<string> {
  const client = new Anthropic();
  const call = { model: 'claude-sonnet-4-5', max_tokens: 64, messages };
  const message = isStreamed
    ? await client.messages.stream(call).finalMessage()
    : await client.messages.create(call);
  return message.content.map((block) => (block.type === 'text' ? block.text : '')).join('');
}

async function google(): Promise<string> {
  const client = new GoogleGenAI({});
  const call = { model: 'gemini-2.5-flash', contents: 'Where shall I go?' };
  if (!isStreamed) return (await client.models.generateContent(call)).text ?? '';
  let text = '';
  for await (const chunk of await client.models.generateContentStream(call)) text += chunk.text ?? '';
  return text;
}

const calls: Record<string, () => Promise<string>> = { openai, anthropic, google };
process.stdout.write((await calls[sdk ?? '']?.()) ?? `no SDK ${sdk}`);
