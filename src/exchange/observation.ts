import type { ByteBudget } from '../cache/byte-budget.ts';
import type { Recording } from '../cache/recording.ts';
import type { Dialect, ReplyFacts, ReplyHead, StreamObserver } from '../dialects/dialect.ts';
import { noFacts } from '../dialects/dialect.ts';
import type { Arrival } from './arrival.ts';
import type { ResponseHead, ResponsePlan } from './messages.ts';
import type { Reader } from './reader.ts';
import type { Services } from './services.ts';

/** Watches the body of a reply go by. */
export interface Observation {
  readonly observe: ResponsePlan['observe'];
  /** A chunk as the provider sent it; `given`: what is given of it to others who ask the same. */
  push(chunk: Buffer, given: Buffer): Promise<void>;
  /** What is known by now. */
  facts(): ReplyFacts;
  /** The body in the pieces in which it came, when it is held. */
  pieces(): Buffer[] | null;
  /** Lets go of it. */
  release(): void;
}

/** How a reply is looked at: streams chunk by chunk, JSON and errors whole, anything else not at all. */
export function observe(
  head: ResponseHead,
  arrival: Arrival | null,
  { reader, held }: Pick<Services, 'reader' | 'held'>,
  /** What a stream is recorded in, if it is. */
  record: () => Recording | null,
): Observation {
  const { dialect, target } = arrival ?? {};
  if (!dialect || !target || head.ended || !head.fromProvider || head.headers.has('content-encoding')) {
    return unobserved;
  }
  const contentType = (head.headers.get('content-type') ?? '').toLowerCase();
  const reply = { status: head.status, contentType, headers: head.headers };
  const observer = dialect.observeStream(reply, target.endpoint);
  if (observer) return chunks(observer, record());
  const readable = /[/+]json/.test(contentType) || head.status >= 400;
  return readable ? whole(dialect, reply, reader, held) : unobserved;
}

const unobserved: Observation = {
  observe: 'nothing',
  push: async () => {},
  facts: () => noFacts,
  pieces: () => null,
  release: () => {},
};

function chunks(observer: StreamObserver, recording: Recording | null): Observation {
  return {
    observe: 'chunks',
    async push(chunk, given) {
      observer.push(chunk);
      recording?.append(given);
    },
    facts: () => observer.facts(),
    pieces: () => recording?.pieces() ?? null,
    release: () => recording?.release(),
  };
}

function whole(dialect: Dialect, head: ReplyHead, reader: Reader, held: ByteBudget): Observation {
  let facts = noFacts;
  let body: Buffer | null = null;
  return {
    observe: 'whole',
    async push(chunk, given) {
      facts = await reader.reply(dialect, chunk, head);
      if (held.take(given.length)) body = given;
    },
    facts: () => facts,
    pieces: () => body && [body],
    release() {
      held.give(body?.length ?? 0);
      body = null;
    },
  };
}
