import { names } from '../envoy/inputs.ts';
import type { Attempt } from './attempt.ts';
import type { Attempts } from './attempts.ts';
import { Exchange, type StartExchange } from './exchange.ts';
import type { RequestHead } from './messages.ts';
import type { Services } from './services.ts';

/** null: there is no call that this is an attempt of. */
export type StartAttempt = (head: RequestHead) => Attempt | null;

/** Starts exchanges and their attempts, and knows which still have something to write down. */
export function createExchanges(services: Services): {
  start: StartExchange;
  startAttempt: StartAttempt;
  settled(): Promise<void>;
} {
  const closing = new Set<Promise<void>>();
  const keep = (work: Promise<void>) => {
    const watched = work
      .catch((error: unknown) => services.log.error({ err: error }, 'an exchange could not be settled'))
      .finally(() => closing.delete(watched));
    closing.add(watched);
  };
  const attempted = new Map<string, Attempts>();
  return {
    start: (head) => new Exchange(head, services, keep, attempted),
    startAttempt(head) {
      const attempts = attempted.get(head.headers.get(names.exchangeHeader) ?? '');
      return attempts?.isOf(head) ? attempts.start(head) : null;
    },
    /** Resolves when every exchange that has ended is written down. */
    async settled() {
      while (closing.size > 0) await Promise.all(closing);
    },
  };
}
