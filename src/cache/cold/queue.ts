import { within } from '../../redis/deadline.ts';

/** What is left at the end has this long. */
const farewellMs = 3_000;

export interface Queue<T> {
  /** false: it is full. */
  push(item: T): boolean;
  stop(): Promise<void>;
}

/**
 * Writes items in batches, every so often, off the way of calls. What does not fit, or cannot be written, is
 * lost, and told of once until something can be written again.
 */
export function createQueue<T>(options: {
  write: (items: T[]) => Promise<unknown>;
  sizeOf: (item: T) => number;
  maxBytes: number;
  maxBatch: number;
  everyMs: number;
  lost: (error: unknown, items: number) => void;
}): Queue<T> {
  const { write, sizeOf, maxBytes, maxBatch, everyMs, lost } = options;
  let waiting: T[] = [];
  let bytes = 0;
  let timer: NodeJS.Timeout | undefined;
  let writing = Promise.resolve();
  let told = false;

  const tell = (error: unknown, items: number) => {
    if (!told) lost(error, items);
    told = true;
  };

  async function flush(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, maxBatch);
      waiting = waiting.slice(maxBatch);
      try {
        await write(batch);
        told = false;
      } catch (error) {
        tell(error, batch.length);
      }
      bytes -= batch.reduce((sum, item) => sum + sizeOf(item), 0);
    }
  }

  function later(): void {
    timer ??= setTimeout(() => {
      writing = flush().finally(() => {
        timer = undefined;
        if (waiting.length > 0) later();
      });
    }, everyMs);
  }

  return {
    push(item) {
      const size = sizeOf(item);
      if (bytes + size > maxBytes) {
        tell(new Error('more answers come than can be written'), 1);
        return false;
      }
      bytes += size;
      waiting.push(item);
      later();
      return true;
    },
    async stop() {
      clearTimeout(timer);
      await within(farewellMs, writing.then(flush)).catch((error: unknown) => tell(error, waiting.length));
    },
  };
}
