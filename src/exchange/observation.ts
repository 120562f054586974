import type { ByteBudget } from '../cache/byte-budget.ts';
import { ByteStore } from '../cache/byte-store.ts';
import type { Dialect, ReplyFacts, ReplyHead, StreamObserver } from '../dialects/dialect.ts';
import { noFacts } from '../dialects/dialect.ts';
import type { Arrival } from './arrival.ts';
import type { ResponseHead, ResponsePlan } from './messages.ts';
import type { Reader } from './reader.ts';
import type { Services } from './services.ts';

/** More of an answer than this is not kept for the cache: 8 MiB. */
const maxKeptBytes = 8 * 1024 * 1024;

/** Watches the body of a reply go by. */
export interface Observation {
  readonly observe: ResponsePlan['observe'];
  /** `visible`: what the caller gets of this chunk. */
  push(chunk: Buffer, visible: Buffer): Promise<void>;
  /** What is known by now. */
  facts(): ReplyFacts;
  /** The whole body as the caller got it, when it was kept. */
  body(): Buffer | null;
  /** Lets go of it. */
  release(): void;
}

/** How a reply is looked at: streams chunk by chunk, JSON and errors whole, anything else not at all. */
export function observe(
  head: ResponseHead,
  arrival: Arrival | null,
  { reader, held }: Pick<Services, 'reader' | 'held'>,
  /** Whether the body is held, to be given again. */
  keeps: boolean,
): Observation {
  const { dialect, target } = arrival ?? {};
  if (!dialect || !target || head.ended || !head.fromProvider || head.headers.has('content-encoding')) {
    return unobserved;
  }
  const contentType = (head.headers.get('content-type') ?? '').toLowerCase();
  const reply = { status: head.status, contentType, headers: head.headers };
  const observer = dialect.observeStream(reply, target.endpoint);
  if (observer) return chunks(observer, keeps ? held : null);
  const readable = /[/+]json/.test(contentType) || head.status >= 400;
  return readable ? whole(dialect, reply, reader) : unobserved;
}

const unobserved: Observation = {
  observe: 'nothing',
  push: async () => {},
  facts: () => noFacts,
  body: () => null,
  release: () => {},
};

function chunks(observer: StreamObserver, held: ByteBudget | null): Observation {
  let kept: ByteStore | null = held && new ByteStore();
  let bytes = 0;
  const release = () => {
    held?.give(bytes);
    bytes = 0;
    kept = null;
  };
  return {
    observe: 'chunks',
    async push(chunk, visible) {
      observer.push(chunk);
      if (!kept || !held) return;
      if (bytes + visible.length > maxKeptBytes || !held.take(visible.length)) return release();
      bytes += visible.length;
      kept.append(visible);
    },
    facts: () => observer.facts(),
    body: () => kept?.bytes() ?? null,
    release,
  };
}

function whole(dialect: Dialect, head: ReplyHead, reader: Reader): Observation {
  let facts = noFacts;
  let body: Buffer | null = null;
  return {
    observe: 'whole',
    async push(chunk, visible) {
      facts = await reader.reply(dialect, chunk, head);
      body = visible.length <= maxKeptBytes ? visible : null;
    },
    facts: () => facts,
    body: () => body,
    release: () => {
      body = null;
    },
  };
}
