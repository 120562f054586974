import { Exchange, type StartExchange } from './exchange.ts';
import type { Services } from './services.ts';

/** Starts exchanges, and knows which still have something to write down. */
export function createExchanges(services: Services): { start: StartExchange; settled(): Promise<void> } {
  const closing = new Set<Promise<void>>();
  const keep = (work: Promise<void>) => {
    const watched = work
      .catch((error: unknown) => services.log.error({ err: error }, 'an exchange could not be settled'))
      .finally(() => closing.delete(watched));
    closing.add(watched);
  };
  return {
    start: (head) => new Exchange(head, services, keep),
    /** Resolves when every exchange that has ended is written down. */
    async settled() {
      while (closing.size > 0) await Promise.all(closing);
    },
  };
}
