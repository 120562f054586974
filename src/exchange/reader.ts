import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import type { SpokenName } from '../config/dialects.ts';
import type { Dialect, PromptText, ReplyFacts, ReplyHead, RequestFacts } from '../dialects/dialect.ts';
import type { Asked } from '../dialects/neutral-dialect.ts';
import type { MemberEdits } from '../dialects/openai/edit-members.ts';
import type { TranslatedReply } from '../translate/reply.ts';
import type { JudgeTask, Translated, TranslationTask } from '../translate/translate.ts';
import work, { type Result, type Task } from './reader-worker.ts';

/** Parsing, canonicalising and hashing 128 KB takes about half a millisecond; more goes to a worker. */
const inlineBytes = 128 * 1024;

/** Reads bodies without holding up the event loop. */
export interface Reader {
  request(dialect: Dialect, body: Uint8Array, endpoint: string): Promise<RequestFacts | null>;
  prompt(dialect: Dialect, body: Uint8Array): Promise<PromptText>;
  /** A JSON body with some of its members changed. */
  edit(body: Uint8Array, edits: MemberEdits): Promise<Buffer>;
  reply(dialect: Dialect, body: Uint8Array, head: ReplyHead): Promise<ReplyFacts>;
  /** Why a request cannot be carried over to each of these; null: it can. */
  judge(task: JudgeTask): Promise<(string | null)[]>;
  translate(task: TranslationTask): Promise<Translated>;
  /** A whole reply of a dialect, for whoever asked. */
  translateReply(
    to: SpokenName,
    asked: Asked,
    body: Uint8Array,
    head: { status: number; errorType: string | null },
  ): Promise<TranslatedReply>;
  close(): Promise<void>;
}

export function createReader(): Reader {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const pool = new Piscina({
    filename: new URL(`./reader-worker.${extension}`, import.meta.url).href,
    minThreads: 0,
    maxThreads: Math.max(1, availableParallelism() - 1),
    idleTimeout: 30_000,
    maxQueue: 1024,
  });

  async function run<T extends Task>(task: T): Promise<Result[T['kind']]> {
    if (task.body.length > inlineBytes) return pool.run(task);
    return work(task) as Result[T['kind']];
  }

  return {
    request: ({ name }, body, endpoint) => run({ kind: 'request', dialect: name, body, endpoint }),
    prompt: ({ name }, body) => run({ kind: 'prompt', dialect: name, body }),
    edit: async (body, edits) => asBuffer(await run({ kind: 'edit', body, edits })),
    reply: ({ name }, body, head) => run({ kind: 'reply', dialect: name, body, head }),
    judge: ({ body, ...task }) => run({ kind: 'judge', body, task }),
    translate: ({ body, ...task }) => run({ kind: 'translate', body, task }),
    async translateReply(to, asked, body, head) {
      const reply = await run({ kind: 'translateReply', body, to, asked, ...head });
      return { ...reply, body: asBuffer(reply.body) };
    },
    close: () => pool.destroy(),
  };
}

/** A buffer that has crossed from a worker is none any more. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
