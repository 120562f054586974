import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import type { Dialect, PromptText, ReplyFacts, RequestFacts } from '../dialects/dialect.ts';
import { read } from './reader-worker.ts';

/** Parsing, canonicalising and hashing 128 KB takes about half a millisecond; more goes to a worker. */
const inlineBytes = 128 * 1024;

/** Reads bodies without holding up the event loop. */
export interface Reader {
  request(dialect: Dialect, body: Uint8Array): Promise<RequestFacts | null>;
  prompt(dialect: Dialect, body: Uint8Array): Promise<PromptText>;
  reply(dialect: Dialect, body: Uint8Array, status: number): Promise<ReplyFacts>;
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

  async function run<K extends keyof typeof read>(
    kind: K,
    dialect: Dialect,
    body: Uint8Array,
    status = 0,
  ): Promise<ReturnType<(typeof read)[K]>> {
    if (body.length <= inlineBytes) return read[kind](dialect, body, status) as ReturnType<(typeof read)[K]>;
    return pool.run({ kind, dialect: dialect.name, body, status });
  }

  return {
    request: (dialect, body) => run('request', dialect, body),
    prompt: (dialect, body) => run('prompt', dialect, body),
    reply: (dialect, body, status) => run('reply', dialect, body, status),
    close: () => pool.destroy(),
  };
}
