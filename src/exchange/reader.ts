import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import type { Dialect, PromptText, ReplyFacts, ReplyHead, RequestFacts } from '../dialects/dialect.ts';
import type { MemberEdits } from '../dialects/openai/edit-members.ts';
import work, { type Result, type Task } from './reader-worker.ts';

/** Parsing, canonicalising and hashing 128 KB takes about half a millisecond; more goes to a worker. */
const inlineBytes = 128 * 1024;

/** Reads bodies without holding up the event loop. */
export interface Reader {
  request(dialect: Dialect, body: Uint8Array, endpoint: string): Promise<RequestFacts | null>;
  prompt(dialect: Dialect, body: Uint8Array): Promise<PromptText>;
  /** A JSON body with some of its members changed. */
  edit(dialect: Dialect, body: Uint8Array, edits: MemberEdits): Promise<Buffer>;
  reply(dialect: Dialect, body: Uint8Array, head: ReplyHead): Promise<ReplyFacts>;
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
    async edit({ name }, body, edits) {
      const edited = await run({ kind: 'edit', dialect: name, body, edits });
      return Buffer.from(edited.buffer, edited.byteOffset, edited.length);
    },
    reply: ({ name }, body, head) => run({ kind: 'reply', dialect: name, body, head }),
    close: () => pool.destroy(),
  };
}
