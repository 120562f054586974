// Parts by themselves, in this process: what it costs to know a caller, what a chunk of a stream costs to watch, how many
// tokens are counted and how many rows are taken a second.
import type { TestContext } from 'node:test';
import { readConversation } from '../../src/dialects/conversation.ts';
import { openaiChat } from '../../src/dialects/openai-chat/index.ts';
import { findDialect } from '../../src/dialects/registry.ts';
import { createScorer } from '../../src/routing/scorer.ts';
import { createTokens } from '../../src/routing/tokens.ts';
import { replyTranslator } from '../../src/translate/reply.ts';
import { translateRequest } from '../../src/translate/translate.ts';
import { createCounter } from '../../src/usage/count/counter.ts';
import { startCollector } from '../fixtures/collector.ts';
import { contentEvent } from '../fixtures/openai.ts';
import { startPostgres } from '../fixtures/postgres.ts';
import { traceRequest, usageRecord } from '../fixtures/usage-records.ts';
import { identify } from './identity.ts';

const chunks = 100_000;

/** Microseconds a chunk of one event. */
function observe(dialect: typeof openaiChat, event: Buffer, filtered: boolean): string {
  const head = { status: 200, contentType: 'text/event-stream', headers: new Map() };
  const observer = dialect.observeStream(head, '');
  const filter = filtered ? dialect.askUsage?.(Buffer.from('{}')).filter() : undefined;
  const started = performance.now();
  for (let at = 0; at < chunks; at++) {
    filter?.push(event, false);
    observer?.push(event);
  }
  return `${(((performance.now() - started) * 1000) / chunks).toFixed(2)} µs`;
}

/** Microseconds to tell how hard a prompt of 10 KB is, by the trained scorer and by the rules. */
async function assess(): Promise<Record<string, string>> {
  const prose =
    'Suppose that f(x) = 3x + 2, and that it must not exceed 10: which of the following is true? ';
  const content = Array.from({ length: 128 }, (_, at) => `${at}. ${prose}`)
    .join('')
    .slice(0, 10_240);
  const conversation = readConversation({ messages: [{ role: 'user', content }] });
  const scorer = createScorer();
  const tokens = await createTokens();
  const each = (work: (at: number) => unknown) => {
    for (let warm = 0; warm < 200; warm++) work(warm);
    const started = performance.now();
    for (let at = 0; at < 2_000; at++) work(at);
    return `${(((performance.now() - started) * 1_000) / 2_000).toFixed(0)} µs`;
  };
  if (!conversation) throw new Error('no conversation');
  const times = {
    'score 10 KB of prompt': each(() => scorer.score(conversation)),
    'score 10 KB of prompt, with reasons': each(() => scorer.explain(conversation)),
    'count the tokens of 10 KB of prompt up to 500': each((at) =>
      // Others each time: what was counted is remembered.
      tokens.upTo([content.slice(at)], 500),
    ),
  };
  tokens.free();
  return times;
}

const to = {
  dialect: 'anthropic-messages' as const,
  model: 'claude-sonnet-4-5',
  askUsage: true,
  maxTokens: null,
};

/** Microseconds a request, its JSON read anew each time. */
function translateOne(size: number): string {
  const messages = Array.from({ length: 10 }, (_, at) => ({
    role: at % 2 === 0 ? 'user' : 'assistant',
    content: 'word '.repeat(size / 50),
  }));
  const json = JSON.stringify({ model: 'gpt-4o', messages });
  const count = 20_000_000 / size / 10;
  const started = performance.now();
  for (let at = 0; at < count; at++) {
    const body = Buffer.from(json);
    const task = { from: 'openai-chat' as const, path: '/chat/completions', body, id: 'x', now: 0 };
    translateRequest({ ...task, to: { ...to, leaveOut: [] } });
  }
  return `${(((performance.now() - started) * 1000) / count).toFixed(0)} µs`;
}

/** Microseconds a chunk of one event. */
function translateChunks(event: Buffer): string {
  const asked = {
    dialect: 'openai-chat' as const,
    model: 'm',
    stream: true,
    usage: false,
    sse: true,
    echo: {},
  };
  const translator = replyTranslator('anthropic-messages', { ...asked, id: 'x', created: 0 });
  const started = performance.now();
  for (let at = 0; at < chunks; at++) translator.push(event);
  return `${(((performance.now() - started) * 1000) / chunks).toFixed(2)} µs`;
}

async function countTokens(): Promise<string> {
  const counter = createCounter();
  const text = 'The quick brown fox jumps over the lazy dog, and counts its tokens. '.repeat(2_000);
  await counter.count('gpt-4o', ['warm']);
  const started = performance.now();
  let tokens = 0;
  while (performance.now() - started < 2_000) tokens += (await counter.count('gpt-4o', [text])).tokens;
  const perSecond = (tokens * 1000) / (performance.now() - started);
  await counter.close();
  return perSecond.toFixed(0);
}

/** Batches as the shipper sends them, eight at a time, into a PostgreSQL of its own. */
async function collectRows(): Promise<string> {
  const cleanUp: (() => unknown)[] = [];
  const context = { after: (work: () => unknown) => void cleanUp.push(work) } as unknown as TestContext;
  const postgres = await startPostgres();
  process.env.WEIR_TEST_POSTGRES = postgres.url;
  const collector = await startCollector(context);
  const batch = () => traceRequest(Array.from({ length: 512 }, () => usageRecord()));
  const batches = Array.from({ length: 100 }, batch);
  const started = performance.now();
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (let next = batches.pop(); next; next = batches.pop()) await collector.export('traces', next);
    }),
  );
  const perSecond = (100 * 512 * 1000) / (performance.now() - started);
  for (const work of cleanUp) await work();
  await postgres.stop();
  return perSecond.toFixed(0);
}

/** Prints a table. */
export async function benchParts(): Promise<void> {
  const anthropic = findDialect('anthropic', 'POST', '/messages');
  const delta = { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hello' } };
  const event = Buffer.from(`event: content_block_delta\ndata: ${JSON.stringify(delta)}\n\n`);
  console.log('\nparts');
  console.table({
    'who calls and what they may, 10,000 keys': identify(),
    'watch a chunk, openai-chat': observe(openaiChat, contentEvent('Hello'), false),
    'watch and filter a chunk, openai-chat': observe(openaiChat, contentEvent('Hello'), true),
    'watch a chunk, anthropic-messages': anthropic && observe(anthropic, event, false),
    ...(await assess()),
    'translate 1 KB, chat → messages': translateOne(1_000),
    'translate 100 KB, chat → messages': translateOne(100_000),
    'translate a chunk, messages → chat': translateChunks(event),
    'tokens counted a second': await countTokens(),
    'rows into the collector a second': await collectRows(),
  });
}
