import type { Dialect, ReplyFacts, StreamObserver } from '../dialects/dialect.ts';
import { noFacts } from '../dialects/dialect.ts';
import type { ResponseHead, ResponsePlan } from './messages.ts';
import type { Reader } from './reader.ts';

/** More of an answer than this is not kept for the cache: 8 MiB. */
const maxKeptBytes = 8 * 1024 * 1024;

/** Watches the body of a reply go by. */
export interface Observation {
  readonly observe: ResponsePlan['observe'];
  push(chunk: Buffer, ended: boolean): Promise<void>;
  /** What is known by now. */
  facts(): ReplyFacts;
  /** The whole body, when it was kept. */
  body(): Buffer | null;
}

/** How a reply is looked at: streams chunk by chunk, JSON and errors whole, anything else not at all. */
export function observe(head: ResponseHead, dialect: Dialect | null, reader: Reader): Observation {
  if (!dialect || head.ended || !head.fromProvider || head.headers.has('content-encoding')) return unobserved;
  const type = (head.headers.get('content-type') ?? '').toLowerCase();
  if (/^\s*text\/event-stream/.test(type)) return chunks(dialect.observeStream());
  if (/[/+]json/.test(type) || head.status >= 400) return whole(dialect, head.status, reader);
  return unobserved;
}

const unobserved: Observation = {
  observe: 'nothing',
  push: async () => {},
  facts: () => noFacts,
  body: () => null,
};

function chunks(observer: StreamObserver): Observation {
  let kept: Buffer[] | null = [];
  let bytes = 0;
  return {
    observe: 'chunks',
    async push(chunk) {
      observer.push(chunk);
      bytes += chunk.length;
      if (bytes > maxKeptBytes) kept = null;
      kept?.push(chunk);
    },
    facts: () => observer.facts(),
    body: () => kept && Buffer.concat(kept),
  };
}

function whole(dialect: Dialect, status: number, reader: Reader): Observation {
  let facts = noFacts;
  let body: Buffer | null = null;
  return {
    observe: 'whole',
    async push(chunk) {
      facts = await reader.reply(dialect, chunk, status);
      body = chunk.length <= maxKeptBytes ? chunk : null;
    },
    facts: () => facts,
    body: () => body,
  };
}
