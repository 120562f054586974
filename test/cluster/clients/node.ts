// node.ts openai|anthropic|google plain|streamed: one call as an application makes it, by an official SDK that
// knows nothing of weir. Prints the text of the answer.
import { request } from 'node:https';
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

/** A WebSocket as the Realtime API has it; what is sent comes back as it was. */
function websocket(): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: 'Bearer weir_workload' };
    const call = request('https://api.openai.com/v1/realtime?model=gpt-realtime', {
      headers: {
        ...headers,
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      },
    });
    call.on('upgrade', (_response, socket) => {
      socket.once('data', (data: Buffer) => {
        resolve(data.toString());
        socket.destroy();
      });
      socket.write('echo');
    });
    call.on('response', ({ statusCode }) => reject(new Error(`answered ${statusCode}`)));
    call.on('error', reject);
    call.end();
  });
}

const calls: Record<string, () => Promise<string>> = { openai, anthropic, google, websocket };
process.stdout.write((await calls[sdk ?? '']?.()) ?? `no SDK ${sdk}`);
